import { Icon } from "../../common/view/icons";
import { offset } from "../axis";
import { filtered, MAX_LISTED, type Which } from "../calls";
import type { Console } from "../console";
import type { Summary } from "../protocol";
import { callAddress } from "../route";
import { age, counted, kindText, timeText, whoText } from "../wording";
import { Nothing, ResultText, StateBadge } from "./parts";

const TABS: readonly (readonly [Which, string])[] = [
  ["live", "Live"],
  ["ended", "Ended"],
];

export function Calls({ desk }: { desk: Console }) {
  const which = desk.which.value;
  const list = (which === "live" ? desk.live : desk.ended).value;
  const query = desk.query.value;
  const found = filtered(list.calls, query);
  return (
    <>
      <div class="title">
        <h1>Calls</h1>
        <fieldset class="tabs" aria-label="Which calls">
          {TABS.map(([tab, label]) => (
            <button
              type="button"
              key={tab}
              aria-pressed={tab === which}
              onClick={() => {
                desk.which.value = tab;
              }}
            >
              {label}
            </button>
          ))}
        </fieldset>
        <input
          type="search"
          class="filter"
          aria-label="Filter calls"
          placeholder="Filter: name, application, state, id"
          value={query}
          onInput={(event) => {
            desk.query.value = event.currentTarget.value;
          }}
        />
      </div>
      <Counts desk={desk} />
      <section class="card flush" aria-label={which === "live" ? "Live calls" : "Ended calls"}>
        {found.length > 0 ? (
          <Table desk={desk} calls={found} which={which} />
        ) : (
          <Nothing isLoaded={list.isLoaded}>
            {list.calls.length > 0
              ? `None of ${counted(list.calls.length, "call")} has these words in it.`
              : which === "live"
                ? "There is no call at the moment. Those that begin are shown here by themselves."
                : "No call has ended yet."}
          </Nothing>
        )}
      </section>
      <p class="foot">
        {list.nextAfter !== null && (
          <button type="button" class="plain" onClick={() => void desk.moreCalls(which)}>
            Show more
          </button>
        )}
        {list.calls.length >= MAX_LISTED && (
          <span class="quiet">The {MAX_LISTED} latest are shown.</span>
        )}
      </p>
    </>
  );
}

/** What is counted, with a word for one and for many. */
const COUNTS = [
  ["conferences", "conference", "conferences"],
  ["mediaLegs", "line with sound", "lines with sound"],
  ["registeredUsers", "user with a phone", "users with phones"],
  ["pages", "browser as a phone", "browsers as phones"],
  ["trunkCalls", "call over trunks", "calls over trunks"],
] as const;

/** What goes on at the server as a whole. */
function Counts({ desk }: { desk: Console }) {
  const counts = desk.overview.value?.counts ?? {};
  const down = (counts["trunksDown"] ?? 0) + (counts["trunksUnregistered"] ?? 0);
  return (
    <ul class="counts" aria-label="At this server">
      {COUNTS.map(([name, one, many]) => {
        const count = counts[name];
        if (count === undefined || count === 0) return null;
        return (
          <li key={name}>
            <strong>{count}</strong> {count === 1 ? one : many}
          </li>
        );
      })}
      {down > 0 && (
        <li class="bad">
          <strong>{down}</strong> {down === 1 ? "trunk" : "trunks"} down
        </li>
      )}
    </ul>
  );
}

interface TableProps {
  readonly desk: Console;
  readonly calls: readonly Summary[];
  readonly which: Which;
}

function Table({ desk, calls, which }: TableProps) {
  const now = desk.now.value;
  return (
    <table class="table">
      <thead>
        <tr>
          <th scope="col">With</th>
          <th scope="col" class="at-middle">
            State
          </th>
          <th scope="col" class="at-wide">
            Application
          </th>
          <th scope="col" class="at-middle">
            {which === "live" ? "Since" : "Began"}
          </th>
          <th scope="col" class="number">
            Lasts
          </th>
          {which === "ended" && (
            <th scope="col" class="at-wide">
              Result
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {calls.map((call) => (
          <tr key={call.id} class="linked">
            <td>
              <div class="with">
                <Icon name={call.direction === "incoming" ? "incoming" : "outgoing"} />
                <div class="who">
                  <a href={callAddress(call.id)}>{whoText(call)}</a>
                  <span class="quiet">
                    {kindText(call.kind)}, {call.direction}
                    {call.subject && call.subject !== call.who && ` · ${call.subject}`}
                  </span>
                  <span class="at-narrow">
                    <StateBadge call={call} />
                  </span>
                </div>
              </div>
            </td>
            <td class="at-middle">
              <StateBadge call={call} />
            </td>
            <td class="at-wide">
              {call.app.name}
              <span class="quiet below">{call.tenant.name}</span>
            </td>
            <td class="at-middle">{timeText(call.since, now)}</td>
            <td class="number">{offset(age(call, now), 1000)}</td>
            {which === "ended" && (
              <td class="at-wide">
                <ResultText call={call} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
