/** Sentences of the meeting's page. */

import type { Invitation } from "./invitation";
import type { Participant } from "./protocol";
import type { Ending } from "./visit";

/** Why one is in no longer, with what can be done about it where something can. */
const ENDED: { readonly [ending in Ending]: string } = {
  left: "You left the meeting.",
  removed: "You were sent out of the meeting.",
  notAdmitted: "Nobody let you in.",
  full: "The meeting is full. Try again when somebody has left.",
  locked: "The meeting is locked: nobody comes in any more. Ask its organizer.",
  over: "The meeting is over.",
  mediaLost: "The connection was lost for too long. Join again.",
  failed: "Something went wrong at the server. Join again.",
  signedOut: "Your session is over. Sign in again, or join as a guest.",
};

export function endedText(ending: Ending): string {
  return ENDED[ending];
}

/** A sentence of ours, and what the server says besides. */
export function withWord(sentence: string, message: string): string {
  const word = message.trim().replace(/\.$/, "");
  return word ? `${sentence} The server says: “${word}”.` : sentence;
}

const ROLES: { readonly [role in NonNullable<Participant["role"]>]: string } = {
  organizer: "Organizer",
  coorganizer: "Co-organizer",
  presenter: "Presenter",
  attendee: "Attendee",
};

const KINDS: { readonly [kind in Participant["kind"]]: string } = {
  user: "",
  guest: "Guest",
  application: "Application",
  phone: "By telephone",
};

/** What somebody is in the meeting. */
export function aboutText({ kind, role }: Participant): string {
  const isPerson = kind === "user" || kind === "guest";
  const texts = [KINDS[kind], role && isPerson ? ROLES[role] : ""];
  return texts.filter(Boolean).join(" · ");
}

export function subjectText(invitation: Invitation): string {
  return invitation.subject?.trim() || "Meeting";
}

/** From when until when, in the words of `locale`; empty where that is not known. */
export function timeText(
  { startsAt, endsAt }: Invitation,
  locale?: string,
  timeZone?: string,
): string {
  if (startsAt === null) return "";
  const zone = timeZone ? { timeZone } : {};
  const format = new Intl.DateTimeFormat(locale, {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    ...zone,
  });
  return endsAt === null || endsAt <= startsAt
    ? format.format(startsAt)
    : format.formatRange(startsAt, endsAt);
}

export function countText(count: number): string {
  return count === 1 ? "1 person" : `${count} people`;
}
