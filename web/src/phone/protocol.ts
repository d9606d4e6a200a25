/** What the page and the server say to each other over the socket, version 1. */

import { isRecord, type Json, objectIn, oneOf, text, textOrNull } from "../common/json";
import { type Person, person, type User, user } from "../common/people";

export const END_REASONS = [
  "hungUp",
  "busy",
  "declined",
  "notFound",
  "noAnswer",
  "answeredElsewhere",
  "cancelled",
  "unreachable",
  "forbidden",
  "mediaLost",
  "failed",
] as const;
export type EndReason = (typeof END_REASONS)[number];

const TRANSFER_STATUSES = ["accepted", "ringing", "done", "failed"] as const;
export type TransferStatus = (typeof TRANSFER_STATUSES)[number];

/** Whether a transfer still goes on. */
export function isUnderWay(transfer: TransferStatus | "asked" | null): boolean {
  return transfer === "asked" || transfer === "accepted" || transfer === "ringing";
}

/** A call that the server still has, told at the start of each socket. */
export interface ListedCall {
  readonly call: string;
  readonly direction: "incoming" | "outgoing";
  readonly state: "ringing" | "connected";
  readonly peer: Person;
  readonly held: boolean;
  /** Milliseconds since 1970. */
  readonly since: number | null;
}

export type FromServer =
  | { readonly type: "welcome"; readonly user: User; readonly calls: readonly ListedCall[] }
  | {
      readonly type: "incoming";
      readonly call: string;
      readonly from: Person;
      readonly subject: string | null;
    }
  | {
      readonly type: "ringing";
      readonly call: string;
      /** Who is called, where the server knows it. */
      readonly peer: Person | null;
    }
  | { readonly type: "answer"; readonly call: string; readonly sdp: string }
  | { readonly type: "refused"; readonly call: string; readonly message: string }
  | { readonly type: "held"; readonly call: string; readonly held: boolean }
  | { readonly type: "transfer"; readonly call: string; readonly status: TransferStatus }
  | { readonly type: "ended"; readonly call: string; readonly reason: EndReason }
  | { readonly type: "error"; readonly message: string };

export type ToServer =
  | { readonly type: "call"; readonly call: string; readonly to: string; readonly sdp: string }
  | { readonly type: "accept" | "offer"; readonly call: string; readonly sdp: string }
  | { readonly type: "decline" | "hangUp"; readonly call: string }
  | { readonly type: "hold"; readonly call: string; readonly held: boolean }
  | { readonly type: "transfer"; readonly call: string; readonly to: string };

/** Reads a frame of the server; `undefined` for one that is not understood, such as that of a later version. */
export function parse(frame: unknown): FromServer | undefined {
  const value = objectIn(frame);
  return value && read(value);
}

function read(value: Json): FromServer | undefined {
  if (value.type === "welcome") return welcome(value);
  if (value.type === "error") return { type: "error", message: text(value.message) };
  const call = value.call;
  return typeof call === "string" && call !== "" ? ofCall(value, call) : undefined;
}

function welcome(value: Json): FromServer | undefined {
  const who = user(value.user);
  const calls = value.calls;
  if (!who || !Array.isArray(calls)) return undefined;
  return { type: "welcome", user: who, calls: calls.map(listed).filter((call) => call !== null) };
}

function ofCall(value: Json, call: string): FromServer | undefined {
  const { sdp, status, reason, subject } = value;
  switch (value.type) {
    case "incoming":
      return { type: "incoming", call, from: person(value.from), subject: textOrNull(subject) };
    case "ringing":
      return { type: "ringing", call, peer: isRecord(value.peer) ? person(value.peer) : null };
    case "answer":
      return typeof sdp === "string" ? { type: "answer", call, sdp } : undefined;
    case "refused":
      return { type: "refused", call, message: text(value.message) };
    case "held":
      return { type: "held", call, held: value.held === true };
    case "transfer":
      return oneOf(TRANSFER_STATUSES, status) ? { type: "transfer", call, status } : undefined;
    case "ended":
      // A call that ended for a reason of a later version has ended all the same.
      return { type: "ended", call, reason: oneOf(END_REASONS, reason) ? reason : "failed" };
    default:
      return undefined;
  }
}

function listed(value: unknown): ListedCall | null {
  if (!isRecord(value)) return null;
  const { call, direction, state, since } = value;
  if (typeof call !== "string" || !oneOf(["incoming", "outgoing"] as const, direction)) return null;
  if (!oneOf(["ringing", "connected"] as const, state)) return null;
  const began = typeof since === "string" ? Date.parse(since) : Number.NaN;
  return {
    call,
    direction,
    state,
    peer: person(value.peer),
    held: value.held === true,
    since: Number.isNaN(began) ? null : began,
  };
}
