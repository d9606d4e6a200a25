import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { offset } from "../axis";
import { type Arrow, arrowText, LADDER_HEAD, ladder } from "../ladder";
import type { CallDetail, SipMessage } from "../protocol";
import type { Target } from "../story";
import { counted, exactTime } from "../wording";
import { Text } from "./parts";

interface Props {
  readonly detail: CallDetail;
  readonly chosen: Target | null;
  readonly choose: (target: Target) => void;
}

/** What was said over SIP: a line for each side, an arrow for each message, and the text of the one that is chosen. */
export function LadderCard({ detail, chosen, choose }: Props) {
  const { sip, sipDropped, isRemembered, summary } = detail;
  const sequence = chosen?.type === "sip" ? chosen.sequence : undefined;
  const message = sip.find((one) => one.sequence === sequence);
  if (sip.length === 0) {
    return (
      <section class="card" aria-labelledby="sip">
        <h2 id="sip">SIP</h2>
        <p class="nothing">
          {isRemembered
            ? "No SIP message has gone to or fro in this call."
            : "The server does not remember the SIP messages of this call."}
        </p>
      </section>
    );
  }
  return (
    <section class="card" aria-labelledby="sip">
      <h2 id="sip">SIP</h2>
      {sipDropped > 0 && (
        <p class="quiet">
          {counted(sipDropped, "message")} before and in between were dropped, as there were too
          many.
        </p>
      )}
      <div class="ladder-and-message">
        <Drawn sip={sip} began={summary.since} chosen={message} choose={choose} />
        <Message message={message} />
      </div>
    </section>
  );
}

interface DrawnProps {
  readonly sip: readonly SipMessage[];
  readonly began: number;
  readonly chosen: SipMessage | undefined;
  readonly choose: (target: Target) => void;
}

function Drawn({ sip, began, chosen, choose }: DrawnProps) {
  const [room, setRoom] = useState(480);
  const view = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const { current } = view;
    if (!current) return;
    const measure = () => setRoom(current.clientWidth);
    const observer = new ResizeObserver(measure);
    observer.observe(current);
    measure();
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    view.current?.querySelector('[aria-pressed="true"]')?.scrollIntoView({ block: "nearest" });
  }, [chosen?.sequence]);
  const { width, height, columns, arrows } = ladder(sip, room);
  return (
    <div class="ladder" ref={view}>
      {/* biome-ignore lint/a11y/useSemanticElements: HTML has no element that could be drawn in. */}
      <svg
        width={width}
        height={height}
        role="group"
        aria-label={`${counted(sip.length, "message")}, first to last`}
      >
        {columns.map(({ name, x }) => (
          <g key={name} class="column">
            <line x1={x} x2={x} y1={LADDER_HEAD - 8} y2={height} />
            <text x={x} y={18} text-anchor="middle">
              {name.replace(/^(udp|tcp|tls|ws|wss):/, "")}
            </text>
            {/:/.test(name) && (
              <text class="transport" x={x} y={30} text-anchor="middle">
                {name.split(":")[0]}
              </text>
            )}
          </g>
        ))}
        {arrows.map((arrow) => (
          <Line
            key={arrow.message.sequence}
            arrow={arrow}
            began={began}
            isChosen={arrow.message === chosen}
            choose={choose}
          />
        ))}
      </svg>
    </div>
  );
}

interface LineProps {
  readonly arrow: Arrow;
  readonly began: number;
  readonly isChosen: boolean;
  readonly choose: (target: Target) => void;
}

function Line({ arrow, began, isChosen, choose }: LineProps) {
  const { message, label, pause, y, from, to, dialog } = arrow;
  const act = () => choose({ type: "sip", sequence: message.sequence });
  const left = Math.min(from, to);
  const way = Math.abs(to - from);
  const head = to > from ? to - 7 : to + 7;
  const isBad = message.status !== null && message.status >= 400;
  return (
    <g class={`message message-${dialog}${isBad ? " message-bad" : ""}`}>
      {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it takes the focus; the button's name has it all. */}
      <g class="message-words" aria-hidden="true">
        <text class="message-time" x={8} y={y + 4}>
          {offset(message.at - began)}
        </text>
        {pause && (
          <text class="message-pause" x={8} y={y - 12}>
            {pause}
          </text>
        )}
        <text class="message-label" x={left + way / 2} y={y - 7} text-anchor="middle">
          {label}
        </text>
      </g>
      {/* biome-ignore lint/a11y/useSemanticElements: HTML has no button that could be an arrow. */}
      <g
        class="message-arrow"
        role="button"
        tabindex={0}
        aria-pressed={isChosen}
        aria-label={`${offset(message.at - began)}: ${arrowText(arrow)}`}
        onClick={act}
        onKeyDown={(event) => pressed(event, act)}
      >
        <rect class="message-area" x={2} y={y - 26} width={left + way + 20} height={38} rx={6} />
        <path d={`M${from} ${y}H${to}M${head} ${y - 4.5}L${to} ${y}L${head} ${y + 4.5}`} />
      </g>
    </g>
  );
}

/** A button answers to these keys; the arrows go to its neighbours. */
function pressed(event: KeyboardEvent, act: () => void): void {
  const { currentTarget, key } = event;
  if (!(currentTarget instanceof SVGElement)) return;
  if (key === "Enter" || key === " ") act();
  else if (key === "ArrowDown") neighbour(currentTarget.parentElement?.nextElementSibling);
  else if (key === "ArrowUp") neighbour(currentTarget.parentElement?.previousElementSibling);
  else return;
  event.preventDefault();
}

function neighbour(line: Element | null | undefined): void {
  line?.querySelector<SVGElement>('[role="button"]')?.focus();
}

function Message({ message }: { message: SipMessage | undefined }) {
  return (
    <section class="sip-message" aria-label="Message">
      {message ? (
        <>
          <p aria-live="polite">
            <strong>{message.startLine}</strong>
            <span class="quiet below">
              {message.isSent ? "Sent to" : "Received from"} {message.peer} at{" "}
              {exactTime(message.at)}
              {message.isCut && ", cut off as it is too long"}
            </span>
          </p>
          <Text label="Message as it was on the wire" text={message.text} />
        </>
      ) : (
        <p class="nothing">Choose a message to read it.</p>
      )}
    </section>
  );
}
