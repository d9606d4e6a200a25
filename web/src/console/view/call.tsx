import { useState } from "preact/hooks";
import { Icon } from "../../common/view/icons";
import { offset } from "../axis";
import { isOver } from "../calls";
import type { Console } from "../console";
import type { CallDetail, Operation } from "../protocol";
import { address } from "../route";
import { downloadAddress } from "../server";
import { spaced, type Target } from "../story";
import { age, counted, kindText, resultText, timeText, whoText } from "../wording";
import { LadderCard } from "./ladder";
import { MediaCard } from "./media";
import { NotificationsCard } from "./notifications";
import { Badge, Fact, Folded, Id, ResultText, StateBadge } from "./parts";
import { Sign } from "./signs";
import { TimelineCard } from "./timeline";

/** The page of one call. */
export function CallScreen({ desk }: { desk: Console }) {
  const detail = desk.detail.value;
  return (
    <>
      <p class="way">
        <a href={address({ section: "calls" })}>
          <Sign name="back" />
          Calls
        </a>
      </p>
      {detail ? (
        <Whole desk={desk} detail={detail} />
      ) : (
        <>
          <h1>Call</h1>
          <Waiting desk={desk} />
        </>
      )}
    </>
  );
}

function Waiting({ desk }: { desk: Console }) {
  return <p class="nothing">{desk.page.value?.problem || "One moment…"}</p>;
}

function Whole({ desk, detail }: { desk: Console; detail: CallDetail }) {
  const { summary } = detail;
  const [chosen, choose] = useState<Target | null>(null);
  return (
    <div class="call-page">
      <Head desk={desk} detail={detail} />
      <TimelineCard desk={desk} detail={detail} choose={choose} />
      {!isOver(summary) && <MediaCard desk={desk} />}
      <NotificationsCard desk={desk} detail={detail} chosen={chosen} />
      <LadderCard detail={detail} chosen={chosen} choose={choose} />
      <Operations operations={detail.operations} />
      <section class="card" aria-labelledby="api">
        <h2 id="api">The call in the API</h2>
        <p class="quiet">
          As the application reads it with GET /v1.0/communications/calls/{"{id}"}.
        </p>
        <Folded label="Call" value={detail.call} />
      </section>
    </div>
  );
}

function Head({ desk, detail }: { desk: Console; detail: CallDetail }) {
  const { summary } = detail;
  const { since, answered, app, tenant, kind, direction, subject, id, notifications } = summary;
  const now = desk.now.value;
  const isIncoming = direction === "incoming";
  return (
    <section class="card head" aria-label="Call">
      <div class="head-line">
        <Icon name={isIncoming ? "incoming" : "outgoing"} />
        <h1>{whoText(summary)}</h1>
        <StateBadge call={summary} />
        <a class="plain button" href={downloadAddress(id)} download={`call-${id}.json`}>
          <Sign name="download" />
          Download
        </a>
      </div>
      {summary.result && (
        <p>
          <ResultText call={summary} />
        </p>
      )}
      <dl class="facts">
        <Fact name="Application">{app.name}</Fact>
        <Fact name="Tenant">{tenant.name}</Fact>
        <Fact name="Kind">
          {kindText(kind)}, {direction}
        </Fact>
        <Fact name="Began">{timeText(since, now)}</Fact>
        <Fact name="Answered">
          {answered === null ? "–" : `after ${offset(Math.max(0, answered - since), 100)}`}
        </Fact>
        <Fact name={isOver(summary) ? "Lasted" : "Lasts"}>{offset(age(summary, now), 1000)}</Fact>
        <Fact name="Notifications">{Math.max(notifications, detail.notifications.length)}</Fact>
        {subject && <Fact name="Subject">{subject}</Fact>}
        <Fact name="Id">
          <Id id={id} name="the call's id" />
        </Fact>
      </dl>
      {!detail.isRemembered && (
        <p class="quiet">
          The server does not remember more of this call than its notifications: it was restarted
          since, or many other calls followed.
        </p>
      )}
    </section>
  );
}

const STATUS_KINDS: { readonly [status: string]: string } = {
  notStarted: "waiting",
  running: "moving",
  completed: "done",
  failed: "failed",
};

function Operations({ operations }: { operations: readonly Operation[] }) {
  if (operations.length === 0) return null;
  return (
    <section class="card flush" aria-labelledby="operations">
      <h2 id="operations">Operations</h2>
      <table class="table">
        <caption class="unseen">{counted(operations.length, "operation")}</caption>
        <thead>
          <tr>
            <th scope="col">Operation</th>
            <th scope="col">Status</th>
            <th scope="col" class="at-middle">
              Result
            </th>
            <th scope="col" class="at-wide">
              Client context
            </th>
          </tr>
        </thead>
        <tbody>
          {operations.map(({ id, kind, status, result, clientContext }) => (
            <tr key={id}>
              <td>
                {spaced(kind.replace(/Operation$/, ""))}
                <code class="below quiet at-wide">{id}</code>
              </td>
              <td>
                <Badge kind={STATUS_KINDS[status] ?? "plain"}>{spaced(status)}</Badge>
              </td>
              <td class="at-middle">{result && resultText(result)}</td>
              <td class="at-wide">
                <code>{clientContext}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
