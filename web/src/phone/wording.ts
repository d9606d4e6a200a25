/** Sentences that more than one place needs. */

import { named } from "../common/people";
import type { Call, Recent } from "./line";
import { type EndReason, isUnderWay } from "./protocol";

/** Why a call is over, with what can be done about it where something can. */
const ENDED: { readonly [reason in EndReason]: string } = {
  hungUp: "The call has ended.",
  busy: "The line is busy. Try again in a while.",
  declined: "The call was declined.",
  notFound: "There is nobody of that name or number. Check how it is written.",
  noAnswer: "Nobody answered.",
  answeredElsewhere: "The call was answered on another phone.",
  cancelled: "The caller hung up.",
  unreachable: "No phone of theirs can be reached at the moment.",
  forbidden: "You are not allowed to call there. Ask whoever runs this server.",
  mediaLost: "The connection was lost for too long. Call again.",
  failed: "The call could not be made. Try again.",
};

/** What is said of a call that is over. */
export function endedText(over: Pick<Recent, "peer" | "reason" | "direction">): string {
  const declinedHere = over.reason === "declined" && over.direction === "incoming";
  return `${named(over.peer)}: ${declinedHere ? "You declined." : ENDED[over.reason]}`;
}

/** Whether the user should be shown why a call is over: not where it simply came to its end. */
export function isWorthTelling(over: Recent): boolean {
  if (over.reason === "hungUp" || over.reason === "cancelled") return false;
  return !(over.direction === "incoming" && over.reason === "declined");
}

/** The line below a name while a call goes on. */
export function stateText(call: Call): string {
  if (call.state === "incoming") return "is calling";
  if (call.state === "calling") return "Calling…";
  if (call.state === "ringing") return "Ringing…";
  if (call.state === "answering") return "Connecting…";
  if (isUnderWay(call.transfer)) return "Transferring…";
  if (call.mending) return "Getting the sound back…";
  if (call.held) return "On hold";
  if (call.heldByPeer) return "They put you on hold";
  return "Connected";
}

/** Minutes and seconds, with hours where there are some. */
export function duration(milliseconds: number): string {
  const total = Math.max(0, Math.floor(milliseconds / 1000));
  const [hours, minutes, seconds] = [
    Math.floor(total / 3600),
    Math.floor(total / 60) % 60,
    total % 60,
  ];
  const two = (count: number) => String(count).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${two(minutes)}:${two(seconds)}`;
}
