/** What the server tells of calls, below `/hookswitch/v1/console/`. Names, messages and bodies in it are any text. */

import {
  type Json,
  list,
  number,
  numberOrNull,
  record,
  text,
  textOrNull,
  time,
  timeOrNull,
} from "./json";

/** Something that has an id and a name. */
export interface Named {
  readonly id: string;
  readonly name: string;
}

export interface Result {
  readonly code: number;
  readonly subcode: number;
  readonly message: string;
}

/** A call in a list. Times are in milliseconds since 1970. */
export interface Summary {
  readonly id: string;
  readonly app: Named;
  readonly tenant: Named;
  readonly state: string;
  readonly direction: string;
  readonly kind: string;
  readonly who: string;
  readonly subject: string | null;
  readonly held: boolean;
  readonly since: number;
  readonly answered: number | null;
  readonly ended: number | null;
  readonly result: Result | null;
  readonly notifications: number;
}

export interface Attempt {
  readonly number: number;
  readonly at: number;
  readonly durationMs: number | null;
  /** `null` where there was no answer. */
  readonly status: number | null;
  readonly error: string | null;
  readonly isResend: boolean;
}

export interface Notification {
  readonly sequence: number;
  /** `pending`, `delivered` or `abandoned`. */
  readonly state: string;
  readonly createdAt: number;
  readonly callbackUri: string;
  readonly change: string;
  readonly about: string;
  readonly body: unknown;
  readonly attempts: readonly Attempt[];
}

/** Something that happened in a call. */
export interface Entry {
  readonly sequence: number;
  readonly at: number;
  readonly lane: string;
  readonly what: string;
  readonly text: string;
  readonly ref: string | null;
}

export interface SipMessage {
  readonly sequence: number;
  readonly at: number;
  readonly isSent: boolean;
  readonly peer: string;
  readonly dialog: string;
  readonly isRequest: boolean;
  readonly method: string;
  readonly status: number | null;
  readonly startLine: string;
  readonly text: string;
  readonly isCut: boolean;
}

/** How somebody's sound is at the moment; `null` is what nobody knows. */
export interface Sound {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly codec: string;
  /** In dBov, from -127 to 0. */
  readonly levelIn: number | null;
  readonly levelOut: number | null;
  /** In percent. */
  readonly lossIn: number | null;
  readonly lossOut: number | null;
  readonly jitterInMs: number | null;
  readonly jitterOutMs: number | null;
  readonly roundTripMs: number | null;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly isFlowing: boolean;
}

export interface MediaSample {
  readonly at: number;
  readonly participants: readonly Sound[];
}

export interface Operation {
  readonly id: string;
  /** Its type without the name space, such as `playPromptOperation`. */
  readonly kind: string;
  readonly status: string;
  readonly clientContext: string;
  readonly result: Result | null;
}

/** Everything of one call. */
export interface CallDetail {
  readonly summary: Summary;
  /** The call as the API for applications shows it. */
  readonly call: unknown;
  readonly operations: readonly Operation[];
  readonly notifications: readonly Notification[];
  readonly hasMoreNotifications: boolean;
  readonly timeline: readonly Entry[];
  readonly timelineDropped: number;
  readonly isRemembered: boolean;
  readonly sip: readonly SipMessage[];
  readonly sipDropped: number;
  readonly media: MediaSample | null;
}

export function named(value: unknown): Named {
  const { id, name } = record(value);
  return { id: text(id), name: text(name) || text(id) };
}

export function result(value: unknown): Result | null {
  const { code, subcode, message } = record(value);
  if (typeof code !== "number") return null;
  return { code, subcode: number(subcode), message: text(message) };
}

export function summary(value: Json): Summary | undefined {
  if (typeof value.id !== "string" || value.id === "") return undefined;
  return {
    id: value.id,
    app: named(value.app),
    tenant: named(value.tenant),
    state: text(value.state),
    direction: text(value.direction),
    kind: text(value.kind),
    who: text(value.who),
    subject: textOrNull(value.subject),
    held: value.held === true,
    since: time(value.since),
    answered: timeOrNull(value.answered),
    ended: timeOrNull(value.ended),
    result: result(value.result),
    notifications: number(value.notifications),
  };
}

export function attempt(value: Json): Attempt {
  return {
    number: number(value.number),
    at: time(value.at),
    durationMs: numberOrNull(value.durationMs),
    status: numberOrNull(value.status),
    error: textOrNull(value.error),
    isResend: value.resend === true,
  };
}

export function notification(value: Json): Notification | undefined {
  const sequence = numberOrNull(value.sequence);
  if (sequence === null) return undefined;
  return {
    sequence,
    state: text(value.state),
    createdAt: time(value.createdAt),
    callbackUri: text(value.callbackUri),
    change: text(value.change),
    about: text(value.about),
    body: value.body ?? null,
    attempts: list(value.attempts, attempt),
  };
}

export function entry(value: Json): Entry | undefined {
  const [sequence, at] = [numberOrNull(value.sequence), timeOrNull(value.at)];
  if (sequence === null || at === null) return undefined;
  return {
    sequence,
    at,
    lane: text(value.lane),
    what: text(value.what),
    text: text(value.text),
    ref: textOrNull(value.ref),
  };
}

export function sipMessage(value: Json): SipMessage | undefined {
  const [sequence, at] = [numberOrNull(value.sequence), timeOrNull(value.at)];
  if (sequence === null || at === null) return undefined;
  return {
    sequence,
    at,
    isSent: value.direction === "sent",
    peer: text(value.peer),
    dialog: text(value.dialog),
    isRequest: value.isRequest === true,
    method: text(value.method),
    status: numberOrNull(value.status),
    startLine: text(value.startLine),
    text: text(value.text),
    isCut: value.isCut === true,
  };
}

export function mediaSample(value: Json): MediaSample | undefined {
  const at = timeOrNull(value.at);
  return at === null ? undefined : { at, participants: list(value.participants, sound) };
}

function sound(value: Json): Sound {
  return {
    id: text(value.id),
    name: text(value.name),
    role: text(value.role),
    codec: text(value.codec),
    levelIn: numberOrNull(value.levelIn),
    levelOut: numberOrNull(value.levelOut),
    lossIn: numberOrNull(value.lossIn),
    lossOut: numberOrNull(value.lossOut),
    jitterInMs: numberOrNull(value.jitterInMs),
    jitterOutMs: numberOrNull(value.jitterOutMs),
    roundTripMs: numberOrNull(value.roundTripMs),
    packetsIn: number(value.packetsIn),
    packetsOut: number(value.packetsOut),
    isFlowing: value.isFlowing === true,
  };
}

function operation(value: Json): Operation | undefined {
  if (typeof value.id !== "string") return undefined;
  return {
    id: value.id,
    kind: text(value["@odata.type"]).replace(/^#?microsoft\.graph\./, ""),
    status: text(value.status),
    clientContext: text(value.clientContext),
    result: result(value.resultInfo),
  };
}

export function callDetail(value: Json): CallDetail | undefined {
  const found = summary(record(value.summary));
  if (!found) return undefined;
  return {
    summary: found,
    call: value.call ?? null,
    operations: list(value.operations, operation),
    notifications: list(value.notifications, notification),
    hasMoreNotifications: value.moreNotifications === true,
    timeline: list(value.timeline, entry),
    timelineDropped: number(value.timelineDropped),
    isRemembered: value.isRemembered !== false,
    sip: list(value.sip, sipMessage),
    sipDropped: number(value.sipDropped),
    media: mediaSample(record(value.media)) ?? null,
  };
}
