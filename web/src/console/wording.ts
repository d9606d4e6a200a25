/** Words and sentences that more than one place needs. */

import { isOver } from "./calls";
import type { Result, Summary } from "./protocol";

const STATES: { readonly [state: string]: string } = {
  incoming: "Incoming",
  establishing: "Establishing",
  established: "Established",
  transferring: "Transferring",
  transferAccepted: "Transfer accepted",
  redirecting: "Redirecting",
  terminating: "Terminating",
  terminated: "Ended",
};

const KINDS: { readonly [kind: string]: string } = {
  peerToPeer: "One to one",
  group: "Group call",
  meeting: "Meeting",
};

export function stateText(call: Pick<Summary, "state" | "held">): string {
  const state = STATES[call.state] ?? call.state;
  return call.held && !isOver(call) ? `${state}, on hold` : state;
}

export function kindText(kind: string): string {
  return KINDS[kind] ?? kind;
}

/** `486 / 10003: the message`, as documentation and logs write it. */
export function resultText({ code, subcode, message }: Result): string {
  return `${code} / ${subcode}${message ? `: ${message}` : ""}`;
}

/** Whom a call is with. */
export function whoText(call: Pick<Summary, "who" | "kind">): string {
  return call.who || kindText(call.kind) || "Somebody";
}

/** How long a call has been there, or was, in milliseconds. */
export function age(call: Pick<Summary, "since" | "ended">, now: number): number {
  return Math.max(0, (call.ended ?? now) - call.since);
}

/** The time of the day, with the day where it is another one than `now`'s. */
export function timeText(at: number, now: number): string {
  const [date, today] = [new Date(at), new Date(now)];
  const time = date.toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  if (date.toDateString() === today.toDateString()) return time;
  const isThisYear = date.getFullYear() === today.getFullYear();
  const day = date.toLocaleDateString([], {
    day: "numeric",
    month: "short",
    ...(!isThisYear && { year: "numeric" }),
  });
  return `${day}, ${time}`;
}

/** The time of the day with milliseconds, as logs have it. */
export function exactTime(at: number): string {
  const date = new Date(at);
  const two = (count: number) => String(count).padStart(2, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** `3 d 4 h`, `4 h 5 min`, `5 min`, `30 s`: the two largest of them. */
export function span(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const [days, hours] = [Math.floor(total / 86_400), Math.floor(total / 3600) % 24];
  const minutes = Math.floor(total / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${total} s`;
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** A number as it is measured, or a dash for what nobody knows. */
export function measured(value: number | null, unit: string, digits = 0): string {
  return value === null ? "–" : `${value.toFixed(digits).replace("-", "−")} ${unit}`;
}

/** JSON to read. Texts within it stay escaped, so nothing that came from outside can look like structure. */
export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? "";
}

/** JSON in a text to read, and any other text as it is. */
export function prettyText(body: string): string {
  try {
    return pretty(JSON.parse(body));
  } catch {
    return body;
  }
}
