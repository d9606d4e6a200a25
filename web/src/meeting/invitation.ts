/** What the server tells of a meeting before one is in it. */

import { isRecord, textOrNull } from "../common/json";
import { type User, user } from "../common/people";

export interface Invitation {
  readonly subject: string | null;
  readonly organizer: string | null;
  /** In milliseconds since 1970. */
  readonly startsAt: number | null;
  readonly endsAt: number | null;
  /** Who is signed in. */
  readonly user: User | null;
  /** Whether others may ask to come in. */
  readonly guests: boolean;
}

/** The meeting of an address; `null` where there is none, `undefined` where the server does not answer. */
export async function invitation(address: string): Promise<Invitation | null | undefined> {
  try {
    const path = `/hookswitch/v1/web/meeting?url=${encodeURIComponent(address)}`;
    const response = await fetch(path, { credentials: "same-origin", cache: "no-store" });
    if (response.ok) return read(await response.json());
    return response.status === 404 || response.status === 400 ? null : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the answer; `undefined` for one that makes no sense. */
export function read(body: unknown): Invitation | undefined {
  if (!isRecord(body) || !isRecord(body.meeting)) return undefined;
  const { subject, organizer, startsAt, endsAt } = body.meeting;
  return {
    subject: textOrNull(subject),
    organizer: textOrNull(organizer),
    startsAt: instant(startsAt),
    endsAt: instant(endsAt),
    user: user(body.user) ?? null,
    guests: body.guests === true,
  };
}

function instant(value: unknown): number | null {
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}
