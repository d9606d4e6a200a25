/** The screens that are tables of whom the server knows. */

import type { ComponentChildren } from "preact";
import type { Catalogue } from "../catalogue";
import type { Console } from "../console";
import type { Application, Instance, Meeting, Trunk, User } from "../lists";
import { spaced } from "../story";
import { counted, span, timeText } from "../wording";
import { Badge, Id, Nothing } from "./parts";

interface ScreenProps<T extends { readonly id: string }> {
  readonly title: string;
  readonly list: Catalogue<T>;
  /** What is said where there is none. */
  readonly empty: string;
  readonly table: (items: readonly T[]) => ComponentChildren;
}

function Screen<T extends { readonly id: string }>({ title, list, empty, table }: ScreenProps<T>) {
  const { items, nextAfter, isLoaded, problem } = list.shown.value;
  return (
    <>
      <div class="title">
        <h1>{title}</h1>
        <button type="button" class="plain" onClick={() => void list.load()}>
          Load again
        </button>
      </div>
      {problem && <p class="notice notice-problem">{problem}</p>}
      <section class="card flush" aria-label={title}>
        {items.length > 0 ? table(items) : <Nothing isLoaded={isLoaded}>{empty}</Nothing>}
      </section>
      {nextAfter !== null && (
        <p class="foot">
          <button type="button" class="plain" onClick={() => void list.more()}>
            Show more
          </button>
        </p>
      )}
    </>
  );
}

export function Meetings({ desk }: { desk: Console }) {
  const now = desk.now.value;
  return (
    <Screen
      title="Meetings"
      list={desk.meetings}
      empty="There is no meeting. They are made by applications, or in the directory file."
      table={(meetings) => (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Subject</th>
              <th scope="col">Now</th>
              <th scope="col" class="at-middle">
                Join by
              </th>
              <th scope="col" class="at-wide">
                Organizer
              </th>
              <th scope="col" class="at-wide">
                Time
              </th>
            </tr>
          </thead>
          <tbody>
            {meetings.map((meeting) => (
              <MeetingRow key={`${meeting.tenant.id} ${meeting.id}`} meeting={meeting} now={now} />
            ))}
          </tbody>
        </table>
      )}
    />
  );
}

function MeetingRow({ meeting, now }: { meeting: Meeting; now: number }) {
  const { subject, isLive, participants, joinMeetingId, hasPasscode } = meeting;
  const { organizer, tenant, startsAt, endsAt, threadId, joinWebUrl } = meeting;
  const title = subject || "Without a subject";
  return (
    <tr>
      <td>
        <strong>
          {joinWebUrl === null ? (
            title
          ) : (
            <a href={joinWebUrl} target="_blank" rel="noreferrer">
              {title}
            </a>
          )}
        </strong>
        <span class="quiet below break">{threadId}</span>
      </td>
      <td>
        {isLive ? (
          <Badge kind="going">{counted(participants, "person", "people")}</Badge>
        ) : (
          <span class="quiet">Nobody</span>
        )}
      </td>
      <td class="at-middle">
        {joinMeetingId}
        <span class="quiet below">{hasPasscode ? "with a passcode" : "no passcode"}</span>
      </td>
      <td class="at-wide">
        {organizer.name}
        <span class="quiet below">{tenant.name}</span>
      </td>
      <td class="at-wide">
        {startsAt === null ? "always" : timeText(startsAt, now)}
        {endsAt !== null && <span class="quiet below">until {timeText(endsAt, now)}</span>}
      </td>
    </tr>
  );
}

export function Users({ desk }: { desk: Console }) {
  const now = desk.now.value;
  return (
    <Screen
      title="Users"
      list={desk.users}
      empty="The directory has no users."
      table={(users) => (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Reached at</th>
              <th scope="col" class="at-wide">
                Tenant
              </th>
              <th scope="col" class="at-wide">
                Id
              </th>
            </tr>
          </thead>
          <tbody>
            {users.map((user) => (
              <UserRow key={user.id} user={user} now={now} />
            ))}
          </tbody>
        </table>
      )}
    />
  );
}

function UserRow({ user, now }: { user: User; now: number }) {
  const { id, name, address, tenant, isAdministrator, hasPassword, hasScript } = user;
  return (
    <tr>
      <td>
        <strong>{name}</strong> {isAdministrator && <Badge kind="plain">Administrator</Badge>}
        <span class="quiet below break">{address}</span>
        {!hasPassword && <span class="quiet below">has no password, so cannot sign in</span>}
      </td>
      <td>
        <Phones user={user} now={now} />
        {hasScript && <span class="quiet below">a script, where no phone is there</span>}
      </td>
      <td class="at-wide">{tenant.name}</td>
      <td class="at-wide">
        <Id id={id} name={`the id of ${name}`} />
      </td>
    </tr>
  );
}

function Phones({ user, now }: { user: User; now: number }) {
  const { phones, pages } = user;
  if (phones.length === 0 && pages === 0) return <span class="quiet">no phone</span>;
  return (
    <>
      {pages > 0 && <Badge kind="going">{counted(pages, "browser")}</Badge>}
      {phones.map(({ contact, transport, remote, expiresAt }) => (
        <span key={contact} class="phone">
          <code class="break">{contact}</code>
          <span class="quiet below">
            {transport} from {remote}
            {expiresAt !== null && `, for ${span((expiresAt - now) / 1000)}`}
          </span>
        </span>
      ))}
    </>
  );
}

const TRUNK_KINDS: { readonly [state: string]: string } = {
  up: "going",
  down: "failed",
  unregistered: "waiting",
};

export function Trunks({ desk }: { desk: Console }) {
  const now = desk.now.value;
  return (
    <Screen
      title="Trunks"
      list={desk.trunks}
      empty="There is no trunk, so numbers outside are not called. They are named in the directory file."
      table={(trunks) => (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Trunk</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                Calls
              </th>
              <th scope="col" class="at-middle">
                May call
              </th>
              <th scope="col" class="at-wide">
                Tenant
              </th>
            </tr>
          </thead>
          <tbody>
            {trunks.map((trunk) => (
              <TrunkRow key={trunk.id} trunk={trunk} now={now} />
            ))}
          </tbody>
        </table>
      )}
    />
  );
}

function TrunkRow({ trunk, now }: { trunk: Trunk; now: number }) {
  const { id, name, peer, transport, state, since, calls, maxCalls, callsPerSecond } = trunk;
  return (
    <tr>
      <td>
        <strong>{name}</strong> {name !== id && <span class="quiet">{id}</span>}
        <span class="quiet below break">
          {peer} over {transport}
          {trunk.registers && ", registers there"} · priority {trunk.priority}
        </span>
      </td>
      <td>
        <Badge kind={TRUNK_KINDS[state] ?? "plain"}>{spaced(state)}</Badge>
        {since !== null && <span class="quiet below">since {timeText(since, now)}</span>}
      </td>
      <td class="number">
        {calls}
        {maxCalls !== null && <span class="quiet"> of {maxCalls}</span>}
        {callsPerSecond !== null && <span class="quiet below">{callsPerSecond} a second</span>}
      </td>
      <td class="at-middle">{trunk.prefixes.join(" ") || <span class="quiet">nobody</span>}</td>
      <td class="at-wide">{trunk.tenant.name}</td>
    </tr>
  );
}

export function Applications({ desk }: { desk: Console }) {
  return (
    <Screen
      title="Applications"
      list={desk.applications}
      empty="The directory has no applications."
      table={(applications) => (
        <ul class="applications">
          {applications.map((application) => (
            <ApplicationItem key={application.id} application={application} />
          ))}
        </ul>
      )}
    />
  );
}

function ApplicationItem({ application }: { application: Application }) {
  const { id, name, alias, webhook, isCallingEnabled, calls, tenants, instances } = application;
  return (
    <li>
      <h2>
        {name} {!isCallingEnabled && <Badge kind="failed">Calling is off</Badge>}
        {calls > 0 && <Badge kind="going">{counted(calls, "call")}</Badge>}
      </h2>
      <dl class="facts">
        <div>
          <dt>Id</dt>
          <dd>
            <Id id={id} name={`the id of ${name}`} />
          </dd>
        </div>
        <div>
          <dt>Webhook</dt>
          <dd class="break">{webhook ? <code>{webhook}</code> : "none, so nobody can call it"}</dd>
        </div>
        {alias && (
          <div>
            <dt>Alias</dt>
            <dd>{alias}</dd>
          </div>
        )}
        <div>
          <dt>Over trunks today</dt>
          <dd>{budgetText(application)}</dd>
        </div>
        {instances.map((instance) => (
          <div key={instance.id}>
            <dt>Instance in {instance.tenant.name}</dt>
            <dd>{instanceText(instance)}</dd>
          </div>
        ))}
      </dl>
      <details class="folded">
        <summary>Permissions in {counted(tenants.length, "tenant")}</summary>
        {tenants.map((tenant) => (
          <p key={tenant.id} class="break">
            <strong>{tenant.name}</strong>: {tenant.permissions.join(", ") || "none"}
          </p>
        ))}
      </details>
    </li>
  );
}

function instanceText({ numbers, isWithheld }: Instance): string {
  const shown = numbers.join(", ") || "no number";
  return isWithheld ? `${shown}, withheld` : shown;
}

function budgetText({ budget }: Application): string {
  const { callsUsed, calls, secondsUsed, seconds } = budget;
  const callsText = calls === null ? counted(callsUsed, "call") : `${callsUsed} of ${calls} calls`;
  const used = Math.ceil(secondsUsed / 60);
  const minutes = seconds === null ? counted(used, "minute") : `${used} of ${seconds / 60} minutes`;
  return `${callsText}, ${minutes}`;
}
