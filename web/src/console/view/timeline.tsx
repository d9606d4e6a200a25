import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { offset } from "../axis";
import { isOver } from "../calls";
import type { Console } from "../console";
import { AXIS, type DrawnItem, draw, HEAD, type Picture, zooms } from "../picture";
import type { CallDetail } from "../protocol";
import { entryText, laneName, type Story, story, type Target } from "../story";
import { counted, exactTime } from "../wording";
import { Scrollable } from "./parts";
import { Sign } from "./signs";

interface Props {
  readonly desk: Console;
  readonly detail: CallDetail;
  readonly choose: (target: Target) => void;
}

/** What happened in the call, as a picture and as a list. */
export function TimelineCard({ desk, detail, choose }: Props) {
  const now = isOver(detail.summary) ? (detail.summary.ended ?? 0) : desk.now.value;
  const [zoom, setZoom] = useState(1);
  const [room, scroller] = useRoom();
  const told = story(detail, now);
  const steps = zooms(room);
  const picture = draw(told, room * zoom);
  useSteadyView(scroller, picture.width, !isOver(detail.summary));
  const at = Math.max(0, steps.indexOf(zoom));
  const step = (by: number) => setZoom(steps[at + by] ?? zoom);
  return (
    <section class="card" aria-labelledby="timeline">
      <div class="title">
        <h2 id="timeline">Timeline</h2>
        <fieldset class="tools" aria-label="Size of the picture">
          <button
            type="button"
            class="square"
            aria-label="Smaller"
            disabled={at === 0}
            onClick={() => step(-1)}
          >
            <Sign name="farther" />
          </button>
          <button
            type="button"
            class="square"
            aria-label="Larger"
            disabled={at >= steps.length - 1}
            onClick={() => step(1)}
          >
            <Sign name="closer" />
          </button>
          <button type="button" class="plain" disabled={at === 0} onClick={() => setZoom(1)}>
            Whole call
          </button>
        </fieldset>
      </div>
      <div class="picture">
        <Scrollable label="Timeline, drawn" place={scroller}>
          <Drawing picture={picture} told={told} choose={choose} />
        </Scrollable>
        <svg class="picture-names" width={110} height={picture.height} aria-hidden="true">
          {picture.lanes.map(({ name, top }) => (
            <text key={name} x={8} y={top + HEAD - 6}>
              {name}
            </text>
          ))}
        </svg>
      </div>
      <Entries detail={detail} from={told.from} />
    </section>
  );
}

/** How wide the element is that the reference is given to. */
function useRoom() {
  const [room, setRoom] = useState(640);
  const element = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    const found = element.current;
    if (!found) return;
    const measure = () => setRoom(Math.max(240, found.clientWidth));
    const observer = new ResizeObserver(measure);
    observer.observe(found);
    measure();
    return () => observer.disconnect();
  }, []);
  return [room, element] as const;
}

/** Keeps what is in the middle there while the picture grows, and the end in sight while there is more to come. */
function useSteadyView(
  scroller: { readonly current: HTMLElement | null },
  width: number,
  isLive: boolean,
): void {
  const before = useRef(width);
  const wasAtEnd = useRef(true);
  useLayoutEffect(() => {
    const view = scroller.current;
    if (!view) return;
    if (before.current !== width) {
      const middle = (view.scrollLeft + view.clientWidth / 2) / before.current;
      view.scrollLeft = middle * width - view.clientWidth / 2;
      before.current = width;
    } else if (isLive && wasAtEnd.current) {
      view.scrollLeft = width;
    }
  });
  useEffect(() => {
    const view = scroller.current;
    const look = () => {
      wasAtEnd.current = !!view && view.scrollLeft + view.clientWidth >= view.scrollWidth - 4;
    };
    view?.addEventListener("scroll", look, { passive: true });
    return () => view?.removeEventListener("scroll", look);
  }, []);
}

interface DrawingProps {
  readonly picture: Picture;
  readonly told: Story;
  readonly choose: (target: Target) => void;
}

function Drawing({ picture, told, choose }: DrawingProps) {
  const { width, height, lanes, ticks } = picture;
  const drawing = useRef<SVGSVGElement>(null);
  // A short cut for pointers, not the only way: notifications and messages have lists of their own.
  useEffect(() => {
    const { current } = drawing;
    const act = (event: MouseEvent) => {
      const target = targetAt(event.target);
      if (target) choose(target);
    };
    current?.addEventListener("click", act);
    return () => current?.removeEventListener("click", act);
  }, []);
  const things = counted(
    lanes.reduce((sum, { items }) => sum + items.length, 0),
    "thing",
  );
  return (
    <svg
      ref={drawing}
      class="drawing"
      width={width}
      height={height}
      role="img"
      aria-label={`${things} in ${offset(told.to - told.from, 100)}; the list below has them in words.`}
    >
      {lanes.map(({ name, top, height }, at) => (
        <rect
          key={name}
          class={at % 2 === 0 ? "stripe" : "stripe stripe-odd"}
          x={0}
          y={top}
          width={width}
          height={height}
        />
      ))}
      {ticks.map(({ at, x, label }) => (
        <g key={at} class="tick">
          <line x1={x} x2={x} y1={AXIS - 4} y2={height} />
          <text x={x + 4} y={AXIS - 9}>
            {label}
          </text>
        </g>
      ))}
      {lanes.map(({ name, items }) => (
        <g key={name}>
          {items.map((drawn, at) => (
            <Thing key={at} drawn={drawn} />
          ))}
        </g>
      ))}
    </svg>
  );
}

function targetAt(element: EventTarget | null): Target | undefined {
  if (!(element instanceof Element)) return undefined;
  const { type, sequence } = element.closest<SVGElement>("[data-type]")?.dataset ?? {};
  if (type !== "notification" && type !== "sip") return undefined;
  return { type, sequence: Number(sequence) };
}

const BAR_HEIGHT = 18;

function Thing({ drawn }: { drawn: DrawnItem }) {
  const { item, x, width, y, label, isInside, dots } = drawn;
  const { target } = item;
  const end = dots.at(-1)?.x;
  const state = `thing thing-${item.kind}${target ? " thing-link" : ""}`;
  return (
    <g class={state} data-type={target?.type} data-sequence={target?.sequence}>
      <title>{item.title}</title>
      {item.shape === "tick" ? (
        <path d={arrowTick(x, y, item.row === 0)} class="arrow-tick" />
      ) : (
        <>
          {end !== undefined && <line class="way-line" x1={x + width / 2} x2={end} y1={y} y2={y} />}
          <rect
            x={x}
            y={y - BAR_HEIGHT / 2}
            width={width}
            height={BAR_HEIGHT}
            rx={item.shape === "pin" ? BAR_HEIGHT / 2 : 4}
          />
          {dots.map((dot, at) => (
            <circle key={at} class={`dot dot-${dot.kind}`} cx={dot.x} cy={y} r={4} />
          ))}
          {label && <Label drawn={drawn} isInside={isInside} />}
        </>
      )}
    </g>
  );
}

function Label({ drawn, isInside }: { drawn: DrawnItem; isInside: boolean }) {
  const { item, x, width, y, label } = drawn;
  if (item.shape === "pin") {
    return (
      <text class="inside" x={x + width / 2} y={y + 4} text-anchor="middle">
        {label}
      </text>
    );
  }
  return (
    <text class={isInside ? "inside" : "outside"} x={isInside ? x + 7 : x + width + 5} y={y + 4}>
      {label}
    </text>
  );
}

/** A small arrow: up for what was received, down for what was sent. */
function arrowTick(x: number, y: number, isSent: boolean): string {
  const [from, to] = isSent ? [y - 8, y + 8] : [y + 8, y - 8];
  const head = isSent ? to - 5 : to + 5;
  return `M${x} ${from}V${to}M${x - 3} ${head}L${x} ${to}L${x + 3} ${head}`;
}

function Entries({ detail, from }: { detail: CallDetail; from: number }) {
  const { timeline, timelineDropped } = detail;
  const [isOpen, setOpen] = useState(false);
  return (
    <details class="folded" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a list: {counted(timeline.length, "entry", "entries")}</summary>
      {isOpen && (
        <>
          {timelineDropped > 0 && (
            <p class="quiet">
              {counted(timelineDropped, "entry", "entries")} in between were dropped, as there were
              too many.
            </p>
          )}
          <table class="table entries">
            <caption class="unseen">What happened, in order</caption>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col" class="at-middle">
                  What
                </th>
                <th scope="col">In words</th>
              </tr>
            </thead>
            <tbody>
              {timeline.map((entry) => (
                <tr key={entry.sequence}>
                  <td class="timer" title={exactTime(entry.at)}>
                    {offset(entry.at - from)}
                  </td>
                  <td class="at-middle">{laneName(entry.lane)}</td>
                  <td class="words">{entryText(entry)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </details>
  );
}
