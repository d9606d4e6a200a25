/** Small parts that more than one screen has. */

import type { ComponentChildren, RefObject } from "preact";
import { useState } from "preact/hooks";
import { phase } from "../calls";
import type { Summary } from "../protocol";
import { pretty, resultText, stateText } from "../wording";
import { Sign } from "./signs";

/** A word on the colour of what it says. */
export function Badge({ kind, children }: { kind: string; children: ComponentChildren }) {
  return <span class={`badge badge-${kind}`}>{children}</span>;
}

export function StateBadge({ call }: { call: Summary }) {
  return <Badge kind={phase(call)}>{stateText(call)}</Badge>;
}

export function ResultText({ call }: { call: Summary }) {
  if (!call.result) return null;
  return <span class={phase(call) === "failed" ? "bad" : "quiet"}>{resultText(call.result)}</span>;
}

/** An id that can be copied. */
export function Id({ id, name }: { id: string; name: string }) {
  return (
    <span class="id">
      <code>{id}</code>
      <Copy text={id} name={name} />
    </span>
  );
}

export function Copy({ text, name }: { text: string; name: string }) {
  const [isDone, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {
      // Not allowed, or no secure page: the text can still be selected.
      setDone(false);
    }
  };
  return (
    <button
      type="button"
      class="square tiny"
      aria-label={isDone ? `${name} copied` : `Copy ${name}`}
      onClick={() => void copy()}
    >
      {isDone ? <span aria-hidden="true">✓</span> : <Sign name="copy" />}
    </button>
  );
}

/** JSON that is folded away until somebody wants to read it. */
export function Folded({ label, value }: { label: string; value: unknown }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details class="folded" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{label}</summary>
      {isOpen && <Text label={label} text={typeof value === "string" ? value : pretty(value)} />}
    </details>
  );
}

/** A text to read that may be wide and long. */
export function Text({ label, text }: { label: string; text: string }) {
  return (
    <div class="text">
      <Scrollable label={label}>
        <pre>{text}</pre>
      </Scrollable>
      <Copy text={text} name={label} />
    </div>
  );
}

interface ScrollableProps {
  readonly label: string;
  readonly kind?: string;
  readonly place?: RefObject<HTMLElement | null>;
  readonly children: ComponentChildren;
}

/** Something that may be larger than the room for it, and can be scrolled by the keyboard, too. */
export function Scrollable({ label, kind = "", place, children }: ScrollableProps) {
  return (
    <section
      class={`scrollable ${kind}`}
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: without the focus no keyboard scrolls it.
      tabIndex={0}
      {...(place && { ref: place })}
    >
      {children}
    </section>
  );
}

/** What stands where a list is empty, or is not there yet. */
export function Nothing({
  isLoaded,
  children,
}: {
  isLoaded: boolean;
  children: ComponentChildren;
}) {
  return <p class="nothing">{isLoaded ? children : "One moment…"}</p>;
}

/** A name with its value, in a list of facts. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
