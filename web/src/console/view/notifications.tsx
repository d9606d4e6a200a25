import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { offset } from "../axis";
import type { Console } from "../console";
import type { Attempt, CallDetail, Notification } from "../protocol";
import { attemptKind, spaced, type Target, words } from "../story";
import { counted, exactTime, pretty } from "../wording";
import { Badge, Text } from "./parts";
import { Sign } from "./signs";

interface Props {
  readonly desk: Console;
  readonly detail: CallDetail;
  /** What was pointed at in the timeline. */
  readonly chosen: Target | null;
}

/** What the application was told, with every attempt at telling it. */
export function NotificationsCard({ desk, detail, chosen }: Props) {
  const { notifications, hasMoreNotifications, summary } = detail;
  return (
    <section class="card flush" aria-labelledby="notifications">
      <h2 id="notifications">Notifications</h2>
      {notifications.length === 0 && (
        <p class="nothing">The application has not been told anything yet.</p>
      )}
      <ol class="notes">
        {notifications.map((notification) => (
          <Note
            key={notification.sequence}
            desk={desk}
            notification={notification}
            began={summary.since}
            chosen={isChosen(chosen, notification) ? chosen : null}
          />
        ))}
      </ol>
      {hasMoreNotifications && (
        <p class="nothing">There are more: the download has as many as are shown here.</p>
      )}
    </section>
  );
}

function isChosen(target: Target | null, { sequence }: Notification): boolean {
  return target?.type === "notification" && target.sequence === sequence;
}

const STATE_KINDS: { readonly [state: string]: string } = {
  pending: "waiting",
  delivered: "done",
  abandoned: "failed",
};

interface NoteProps {
  readonly desk: Console;
  readonly notification: Notification;
  readonly began: number;
  /** Another one each time that it is pointed at. */
  readonly chosen: Target | null;
}

function Note({ desk, notification, began, chosen }: NoteProps) {
  const { sequence, change, about, state, createdAt, attempts } = notification;
  const [isOpen, setOpen] = useState(false);
  const item = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (!chosen) return;
    setOpen(true);
    item.current?.scrollIntoView({ block: "nearest" });
    item.current?.querySelector("summary")?.focus({ preventScroll: true });
  }, [chosen]);
  const last = attempts.at(-1);
  const detail = useMemo(() => detailOf(notification), [notification.body]);
  return (
    <li>
      <details ref={item} open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <span class="sequence">{sequence}</span>
          <span class="what">
            <strong>
              {spaced(change)} {words(about)}
            </strong>
            <span class="quiet"> {detail}</span>
          </span>
          <span class="quiet when" title={exactTime(createdAt)}>
            {offset(Math.max(0, createdAt - began))}
          </span>
          <span class="quiet tries">
            {attempts.length === 0 ? "not tried yet" : counted(attempts.length, "try", "tries")}
            {last && `, ${answerOf(last)}`}
          </span>
          <Badge kind={STATE_KINDS[state] ?? "plain"}>{spaced(state)}</Badge>
        </summary>
        {isOpen && <Body desk={desk} notification={notification} />}
      </details>
    </li>
  );
}

/** The state or status that a notification tells of, which is what people look for. */
function detailOf({ body }: Notification): string {
  const found = /"(?:state|status)":\s?"(\w{1,40})"/.exec(JSON.stringify(body) ?? "");
  return found?.[1] ?? "";
}

function answerOf({ status, error }: Attempt): string {
  return status === null ? (error ?? "no answer") : `answered ${status}`;
}

function Body({ desk, notification }: { desk: Console; notification: Notification }) {
  const { sequence, callbackUri, attempts, body } = notification;
  const [isBusy, setBusy] = useState(false);
  const resend = async () => {
    setBusy(true);
    await desk.resend(sequence);
    setBusy(false);
  };
  return (
    <div class="note-body">
      <p class="to">
        <span class="quiet">To</span> <code>{callbackUri}</code>
      </p>
      {attempts.length > 0 && (
        <table class="table attempts">
          <caption class="unseen">Attempts</caption>
          <thead>
            <tr>
              <th scope="col">Try</th>
              <th scope="col" class="at-middle">
                At
              </th>
              <th scope="col">Answer</th>
              <th scope="col" class="number">
                Took
              </th>
            </tr>
          </thead>
          <tbody>
            {attempts.map((attempt) => (
              <tr key={`${attempt.isResend} ${attempt.number}`}>
                <td>{attempt.isResend ? `Resend ${attempt.number}` : attempt.number}</td>
                <td class="timer at-middle">{exactTime(attempt.at)}</td>
                <td class={attemptKind(attempt.status) === "failed" ? "bad" : "fine"}>
                  {attempt.status ?? ""} {attempt.error ?? ""}
                  {attempt.status === null && attempt.error === null && "no answer"}
                </td>
                <td class="number">
                  {attempt.durationMs === null ? "–" : offset(attempt.durationMs, 1)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Text label={`Body of notification ${sequence}`} text={pretty(body)} />
      <button
        type="button"
        class="plain"
        disabled={isBusy}
        aria-label={`Resend notification ${sequence}`}
        onClick={() => void resend()}
      >
        <Sign name="again" />
        {isBusy ? "Sending…" : "Resend"}
      </button>
    </div>
  );
}
