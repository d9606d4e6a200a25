import { useEffect, useRef } from "preact/hooks";
import { named } from "../../common/people";
import { Icon } from "../../common/view/icons";
import { Avatar } from "../../common/view/person";
import type { Call, Recent } from "../line";
import type { Phone } from "../phone";
import { duration, stateText } from "../wording";
import { Timer } from "./call_card";
import { isBusy } from "./keys";

/** A call that rings here. */
export function Incoming({ phone, call }: { phone: Phone; call: Call }) {
  const card = useRef<HTMLElement>(null);
  const name = named(call.peer);
  // The card, not its button: a space or return on its way elsewhere must not take the call.
  useEffect(() => {
    if (!isBusy(document.activeElement)) card.current?.focus();
  }, []);
  return (
    <section class="card incoming" aria-label={`${name} is calling`} tabIndex={-1} ref={card}>
      <Avatar person={call.peer} large />
      <div class="who">
        <h2>{name}</h2>
        <p class="quiet address">
          {call.peer.address !== name && `${call.peer.address} `}is calling
          {call.subject && `: ${call.subject}`}
        </p>
      </div>
      <div class="choice">
        <button
          type="button"
          class="danger"
          onClick={() => phone.feed({ type: "decline", call: call.id })}
        >
          <Icon name="hangUp" />
          Decline
        </button>
        <button
          type="button"
          class="go"
          onClick={() => phone.feed({ type: "accept", call: call.id })}
        >
          <Icon name="answer" />
          Answer
        </button>
      </div>
    </section>
  );
}

/** Calls beside the one that is spoken in. */
export function OtherCalls({ phone, calls }: { phone: Phone; calls: readonly Call[] }) {
  if (calls.length === 0) return null;
  return (
    <section class="card" aria-labelledby="others">
      <h2 id="others" class="small">
        Other calls
      </h2>
      <ul class="list">
        {calls.map((call) => (
          <Other key={call.id} phone={phone} call={call} />
        ))}
      </ul>
    </section>
  );
}

function Other({ phone, call }: { phone: Phone; call: Call }) {
  const name = named(call.peer);
  const turn = () => {
    if (call.held) phone.feed({ type: "hold", call: call.id, held: false });
    else phone.feed({ type: "show", call: call.id });
  };
  return (
    <li>
      <Avatar person={call.peer} />
      <div class="who">
        <strong>{name}</strong>
        <span class="quiet">
          {stateText(call)} <Timer phone={phone} call={call} />
        </span>
      </div>
      <button
        type="button"
        class="plain"
        aria-label={`${call.held ? "Resume" : "Show"} ${name}`}
        onClick={turn}
      >
        {call.held ? "Resume" : "Show"}
      </button>
      <button
        type="button"
        class="square danger-text"
        aria-label={`Hang up ${name}`}
        onClick={() => phone.feed({ type: "hangUp", call: call.id })}
      >
        <Icon name="hangUp" />
      </button>
    </li>
  );
}

/** Calls that are over, as long as the page is open. */
export function RecentCalls({ phone }: { phone: Phone }) {
  const { recent } = phone.line.value;
  return (
    <section class="card recent" aria-labelledby="recent">
      <h2 id="recent" class="small">
        Recent calls
      </h2>
      {recent.length === 0 && <p class="quiet empty">Calls of this page are listed here.</p>}
      <ul class="list">
        {recent.map((call) => (
          // A server that was started anew counts its calls anew.
          <li key={`${call.id} ${call.at}`}>
            <Icon name={call.direction} />
            <div class="who">
              <strong>{named(call.peer)}</strong>
              <span class={isMissed(call) ? "missed" : "quiet"}>
                {outcome(call)} · {time(call.at)}
              </span>
            </div>
            {call.peer.address && (
              <button
                type="button"
                class="square"
                aria-label={`Call ${named(call.peer)}`}
                onClick={() => void phone.dial(call.peer.address)}
              >
                <Icon name="answer" />
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function isMissed(call: Recent): boolean {
  return call.direction === "incoming" && !call.wasAnswered && call.reason === "cancelled";
}

function outcome(call: Recent): string {
  if (call.wasAnswered) return duration(call.length);
  if (isMissed(call)) return "Missed";
  if (call.reason === "answeredElsewhere") return "Answered elsewhere";
  return call.reason === "declined" ? "Declined" : "Not connected";
}

function time(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
