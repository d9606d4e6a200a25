/** What happened in a call, sorted into lanes over time: what is drawn as its timeline. */

import { isOver } from "./calls";
import type { CallDetail, Entry, Notification, SipMessage, Summary } from "./protocol";
import { resultText, stateText } from "./wording";

/** Chooses a colour. */
export type Kind =
  | "starting"
  | "going"
  | "moving"
  | "held"
  | "ended"
  | "failed"
  | "waiting"
  | "done"
  | "plain";

/** Where more of it is to be read on the page. */
export type Target =
  | { readonly type: "notification"; readonly sequence: number }
  | { readonly type: "sip"; readonly sequence: number };

/** Something that is drawn in a lane. */
export interface Item {
  readonly shape: "bar" | "pin" | "tick";
  readonly kind: Kind;
  readonly from: number;
  /** Where it is over; `null` while it goes on. The same as `from` for what takes no time. */
  readonly to: number | null;
  /** What is written on it or beside it. */
  readonly label: string;
  /** The whole of it in words. */
  readonly title: string;
  readonly target: Target | null;
  /** What happened on the way: attempts at delivery. */
  readonly dots: readonly { readonly at: number; readonly kind: Kind }[];
  /** The row that it has to be in; `null` for whichever is free. */
  readonly row: number | null;
}

export interface Lane {
  readonly name: string;
  readonly items: readonly Item[];
}

export interface Story {
  readonly from: number;
  readonly to: number;
  readonly lanes: readonly Lane[];
}

/** A call shorter than this is drawn as long as this. */
const SHORTEST_MS = 1000;
/** What is tried again after a call is drawn for so long, or for as long as the call was; it may go on for hours. */
const AFTERMATH_MS = 30_000;

/** The lanes of entries, with their names for people. Others are shown as the server names them. */
export const LANES: { readonly [lane: string]: string } = {
  state: "State",
  leg: "Phones",
  conference: "Conference",
  application: "Own media",
  operation: "Operations",
  notification: "Notifications",
  tone: "Tones",
};

export function laneName(lane: string): string {
  return LANES[lane] ?? lane;
}

/** Sorts everything that is known of a call at the moment `now`. */
export function story(detail: CallDetail, now: number): Story {
  const { summary, timeline, notifications, sip } = detail;
  const until = lastDrawn(summary);
  const of = (lane: string) => timeline.filter((entry) => entry.lane === lane);
  const lanes: Lane[] = [
    { name: laneName("state"), items: states(summary, of("state")) },
    { name: laneName("leg"), items: legs(of("leg"), summary.ended) },
    { name: laneName("conference"), items: of("conference").map(moment) },
    { name: laneName("application"), items: of("application").map(moment) },
    { name: laneName("operation"), items: operations(of("operation"), summary.ended) },
    { name: laneName("notification"), items: notifications.map((one) => notified(one, until)) },
    { name: laneName("tone"), items: of("tone").map(tone) },
    { name: "SIP", items: sip.map(packet) },
  ];
  const others = [...new Set(timeline.map(({ lane }) => lane))].filter((lane) => !LANES[lane]);
  for (const lane of others) lanes.push({ name: lane, items: of(lane).map(moment) });
  const moments = lanes.flatMap(({ items }) => items.flatMap(momentsOf));
  const from = Math.min(summary.since, ...moments);
  const last = Math.max(summary.ended ?? summary.since, ...moments);
  const to = Math.max(isOver(summary) ? last : Math.max(last, now), from + SHORTEST_MS);
  return { from, to, lanes: lanes.filter(({ items }) => items.length > 0) };
}

/** The last moment that is drawn of a call. */
function lastDrawn({ since, ended }: Summary): number {
  if (ended === null) return Number.POSITIVE_INFINITY;
  return ended + Math.max(AFTERMATH_MS, ended - since);
}

function momentsOf(item: Item): readonly number[] {
  return [item.from, item.to ?? item.from, ...item.dots.map(({ at }) => at)];
}

/** What an entry says, for the list. */
export function entryText({ lane, what, text, ref }: Entry): string {
  const said = spaced(lane === "state" ? stateText({ state: what, held: false }) : what);
  if (lane === "notification" && ref) {
    return `Notification ${ref} ${said.toLowerCase()}${text && `: ${text}`}`;
  }
  if (lane !== "operation" || !text) return text ? `${said}: ${text}` : said;
  // Its kind, and behind a colon why it failed.
  const [, kind, why] = /^(\w+)(.*)$/s.exec(text) ?? [];
  return `${spaced(kind ?? text)} ${said.toLowerCase()}${why ?? ""}`;
}

/** `notStarted` as the words of a sentence. */
export function words(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
}

/** `notStarted` as the words that a sentence begins with. */
export function spaced(name: string): string {
  const spelled = words(name);
  return spelled.charAt(0).toUpperCase() + spelled.slice(1);
}

const PLAIN: Pick<Item, "target" | "dots" | "row"> = { target: null, dots: [], row: null };

function moment(entry: Entry): Item {
  const title = entryText(entry);
  const { at } = entry;
  return { ...PLAIN, shape: "pin", kind: "plain", from: at, to: at, label: title, title };
}

const STATE_KINDS: { readonly [state: string]: Kind } = {
  incoming: "starting",
  establishing: "starting",
  established: "going",
  transferring: "moving",
  transferAccepted: "moving",
  redirecting: "moving",
  terminating: "moving",
};

/** A bar for each state from its entry to the next one, and below them when the call was held. */
function states(summary: Summary, entries: readonly Entry[]): readonly Item[] {
  const isHold = ({ what }: Entry) => what === "held" || what === "resumed";
  const changes = entries.filter((entry) => !isHold(entry));
  const known = changes.length > 0 ? changes : assumed(summary);
  const bars = known.flatMap((change, at) => {
    const next = known[at + 1];
    return [change.what === "terminated" ? end(summary, change) : bar(summary, change, next)];
  });
  const holds = entries.filter(isHold).flatMap((entry, at, all) => {
    if (entry.what !== "held") return [];
    const to = all[at + 1]?.at ?? summary.ended;
    const title = "On hold";
    return [
      { ...PLAIN, shape: "bar", kind: "held", from: entry.at, to, label: title, title } as const,
    ];
  });
  return [...bars, ...holds];
}

function bar(
  summary: Summary,
  change: Pick<Entry, "at" | "what" | "text">,
  next: Pick<Entry, "at"> | undefined,
): Item {
  const label = stateText({ state: change.what, held: false });
  return {
    ...PLAIN,
    shape: "bar",
    kind: STATE_KINDS[change.what] ?? "plain",
    from: change.at,
    to: next?.at ?? summary.ended,
    label,
    title: change.text ? `${label}: ${change.text}` : label,
    row: 0,
  };
}

function end({ result }: Summary, { at, text }: Pick<Entry, "at" | "text">): Item {
  const said = result ? resultText(result) : text;
  return {
    ...PLAIN,
    shape: "pin",
    kind: result && result.code >= 400 ? "failed" : "ended",
    from: at,
    to: at,
    label: result ? `${result.code}` : "Ended",
    title: said ? `Ended: ${said}` : "Ended",
    row: 0,
  };
}

/** What the summary alone says of the states of a call that the server remembers no more. */
function assumed(summary: Summary): readonly Pick<Entry, "at" | "what" | "text">[] {
  const { since, answered, ended, direction, state } = summary;
  const changes = [
    { at: since, what: direction === "incoming" ? "incoming" : "establishing", text: "" },
  ];
  if (answered !== null) changes.push({ at: answered, what: "established", text: "" });
  if (ended !== null) changes.push({ at: ended, what: "terminated", text: "" });
  if (ended === null && answered === null) return [{ at: since, what: state, text: "" }];
  return changes;
}

const LEG_KINDS: { readonly [what: string]: Kind } = {
  calling: "starting",
  ringing: "starting",
  answered: "going",
  resumed: "going",
  held: "held",
};

/** What ends what a phone was doing. */
const LEG_ENDS: { readonly [what: string]: Kind } = { left: "ended", lost: "failed" };

/** Phones that have a row of their own; those that follow are drawn where there is room. */
const PHONE_ROWS = 5;

/** A bar for each thing that a phone does, until it does the next one, in a row for each phone that `ref` names. */
function legs(entries: readonly Entry[], ended: number | null): readonly Item[] {
  const phones = new Map<string | null, Entry[]>();
  for (const entry of entries) {
    phones.set(entry.ref, [...(phones.get(entry.ref) ?? []), entry]);
  }
  return [...phones.values()].flatMap((phone, index) => {
    const row = index < PHONE_ROWS ? index : null;
    const changes = phone.filter(({ what }) => LEG_KINDS[what] || LEG_ENDS[what]);
    const others = phone.filter(({ what }) => !(LEG_KINDS[what] || LEG_ENDS[what]));
    return [
      ...changes.map((entry, at) => leg(entry, row, changes[at + 1]?.at ?? ended)),
      ...others.map(moment),
    ];
  });
}

function leg(entry: Entry, row: number | null, to: number | null): Item {
  const { what, text, at: from } = entry;
  const title = entryText(entry);
  const kind = LEG_KINDS[what];
  if (!kind) {
    const over = LEG_ENDS[what] ?? "ended";
    return { ...PLAIN, shape: "pin", kind: over, from, to: from, label: spaced(what), title, row };
  }
  const label = what === "answered" && text ? text : title;
  return { ...PLAIN, shape: "bar", kind, from, to, label, title, row };
}

const OPERATION_KINDS: { readonly [status: string]: Kind } = {
  notStarted: "waiting",
  running: "moving",
  completed: "done",
  failed: "failed",
};

/** A bar for each operation, from its first entry to the one that completes it. */
function operations(entries: readonly Entry[], ended: number | null): readonly Item[] {
  const known = new Map<string, Entry[]>();
  for (const entry of entries) {
    const id = entry.ref ?? `${entry.sequence}`;
    known.set(id, [...(known.get(id) ?? []), entry]);
  }
  return [...known.values()].flatMap((all) => {
    const [first, last] = [all[0], all.at(-1)];
    if (!first || !last) return [];
    const isDone = last.what === "completed" || last.what === "failed";
    const label = spaced(first.text || "operation");
    return [
      {
        ...PLAIN,
        shape: "bar",
        kind: OPERATION_KINDS[last.what] ?? "plain",
        from: first.at,
        to: isDone ? last.at : ended,
        label,
        title: entryText(last),
      } as const,
    ];
  });
}

const DELIVERY_KINDS: { readonly [state: string]: Kind } = {
  pending: "waiting",
  delivered: "done",
  abandoned: "failed",
};

/** A pin where a notification was made, and a dot for each attempt at its delivery. */
function notified(notification: Notification, until: number): Item {
  const { sequence, createdAt, state, change, about, attempts } = notification;
  const dots = attempts
    .filter(({ at }) => at <= until)
    .map(({ at, status }) => ({ at, kind: attemptKind(status) }));
  const to = Math.max(createdAt, ...dots.map(({ at }) => at));
  return {
    shape: "pin",
    kind: DELIVERY_KINDS[state] ?? "plain",
    from: createdAt,
    to,
    label: `${sequence}`,
    title: `Notification ${sequence}, ${change} ${words(about)}: ${state}`,
    target: { type: "notification", sequence },
    // The first attempt is made at once, where the pin is.
    dots: dots.slice(1),
    row: null,
  };
}

export function attemptKind(status: number | null): Kind {
  return status !== null && status >= 200 && status < 300 ? "done" : "failed";
}

function tone(entry: Entry): Item {
  const isSent = entry.what === "sent";
  const title = `Key ${entry.text} ${isSent ? "sent" : "heard"}`;
  const { at } = entry;
  const kind = isSent ? "moving" : "going";
  return { ...PLAIN, shape: "pin", kind, from: at, to: at, label: entry.text, title };
}

function packet(message: SipMessage): Item {
  const { at, sequence, isSent, status } = message;
  return {
    shape: "tick",
    kind: status !== null && status >= 400 ? "failed" : "plain",
    from: at,
    to: at,
    label: "",
    title: `${isSent ? "Sent" : "Received"} ${messageName(message)}`,
    target: { type: "sip", sequence },
    dots: [],
    row: isSent ? 0 : 1,
  };
}

/** `INVITE`, or `180 Ringing (INVITE)`. */
export function messageName({ isRequest, method, status, startLine }: SipMessage): string {
  if (isRequest) return method || startLine;
  const reason = startLine.split(" ").slice(2).join(" ");
  return `${status ?? ""} ${reason}`.trim() + (method ? ` (${method})` : "");
}
