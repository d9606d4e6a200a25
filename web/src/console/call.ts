/** One call's page: what the server told at once, and what it has told since. */

import type {
  Attempt,
  CallDetail,
  Entry,
  MediaSample,
  Notification,
  SipMessage,
  Sound,
  Summary,
} from "./protocol";

/** Arbitrary: more than the server keeps of a call, so only a page that is open for long forgets. */
const MAX_KEPT = 3000;

/** How many samples are kept: two minutes. */
export const MAX_SAMPLES = 120;

/** What the stream tells of a call. */
export type News =
  | { readonly type: "summary"; readonly summary: Summary }
  | { readonly type: "entry"; readonly entry: Entry }
  | { readonly type: "notification"; readonly notification: Notification }
  | { readonly type: "sip"; readonly message: SipMessage }
  | { readonly type: "media"; readonly sample: MediaSample };

export interface CallPage {
  readonly id: string;
  readonly detail: CallDetail | null;
  /** What came before the rest did. */
  readonly early: readonly News[];
  /** Oldest first. */
  readonly samples: readonly MediaSample[];
  /** Why there is nothing, or nothing new. */
  readonly problem: string;
}

export function opened(id: string): CallPage {
  return { id, detail: null, early: [], samples: [], problem: "" };
}

/** Everything of the call has come, for the first time or again. Nothing that is known already is lost by that. */
export function loaded(page: CallPage, detail: CallDetail): CallPage {
  const before = page.detail;
  const whole = before
    ? {
        ...detail,
        timeline: united(before.timeline, detail.timeline),
        sip: united(before.sip, detail.sip),
        notifications: detail.notifications.reduce(noted, before.notifications),
      }
    : detail;
  const samples = detail.media ? sampled(page.samples, detail.media) : page.samples;
  const next: CallPage = { ...page, detail: whole, samples, early: [], problem: "" };
  return page.early.reduce(heard, next);
}

export function failed(page: CallPage, problem: string): CallPage {
  return { ...page, problem };
}

export function heard(page: CallPage, news: News): CallPage {
  const { detail } = page;
  if (!detail) return { ...page, early: [...page.early, news].slice(-MAX_KEPT) };
  switch (news.type) {
    case "summary":
      return { ...page, detail: { ...detail, summary: news.summary } };
    case "entry":
      return { ...page, detail: { ...detail, timeline: united(detail.timeline, [news.entry]) } };
    case "notification": {
      const notifications = noted(detail.notifications, news.notification);
      return { ...page, detail: { ...detail, notifications } };
    }
    case "sip":
      return { ...page, detail: { ...detail, sip: united(detail.sip, [news.message]) } };
    case "media":
      return { ...page, samples: sampled(page.samples, news.sample) };
  }
}

/** Whether what the API shows of the call is another thing after such news, so that it has to be asked for again. */
export function outdates(news: News): boolean {
  if (news.type === "summary") return true;
  if (news.type !== "entry") return false;
  return ["state", "operation", "conference"].includes(news.entry.lane);
}

/** Both, in sequence, each once. */
function united<T extends { readonly sequence: number }>(
  known: readonly T[],
  others: readonly T[],
): readonly T[] {
  const last = known.at(-1)?.sequence ?? Number.NEGATIVE_INFINITY;
  const isNext = others.length === 1 && (others[0]?.sequence ?? last) > last;
  if (isNext) return [...known, ...others].slice(-MAX_KEPT);
  const all = new Map([...known, ...others].map((item) => [item.sequence, item]));
  return [...all.values()].sort((a, b) => a.sequence - b.sequence).slice(-MAX_KEPT);
}

/** Takes over what is told of a notification, unless more is known of it already. */
function noted(known: readonly Notification[], news: Notification): readonly Notification[] {
  const before = known.find(({ sequence }) => sequence === news.sequence);
  if (!before) return united(known, [news]);
  const isOlder =
    news.attempts.length < before.attempts.length ||
    (news.state === "pending" && before.state !== "pending");
  return isOlder ? known : united(known, [news]);
}

/** A notification with one more attempt, unless the events have told of that already. Resends are counted for themselves. */
export function resent(known: Notification, attempt: Attempt): Notification {
  const isKnown = known.attempts.some(
    ({ number, isResend }) => number === attempt.number && isResend === attempt.isResend,
  );
  return isKnown ? known : { ...known, attempts: [...known.attempts, attempt] };
}

function sampled(known: readonly MediaSample[], sample: MediaSample): readonly MediaSample[] {
  const isNew = sample.at > (known.at(-1)?.at ?? 0);
  return isNew ? [...known, sample].slice(-MAX_SAMPLES) : known;
}

/** The levels of somebody over the last samples, oldest first; `null` where there was none. */
export function levels(
  samples: readonly MediaSample[],
  id: string,
  of: (sound: Sound) => number | null,
): readonly (number | null)[] {
  return samples.map(({ participants }) => {
    const found = participants.find((sound) => sound.id === id);
    return found ? of(found) : null;
  });
}

/** How bad something measured is. */
export type Grade = "good" | "fair" | "poor" | "unknown";

/** Limits from which sound is heard to suffer, and to be hard to follow. */
const LIMITS = {
  loss: { fair: 1, poor: 5 },
  jitter: { fair: 30, poor: 60 },
  roundTrip: { fair: 200, poor: 400 },
} as const;

export function grade(what: keyof typeof LIMITS, value: number | null): Grade {
  if (value === null) return "unknown";
  const { fair, poor } = LIMITS[what];
  if (value >= poor) return "poor";
  return value >= fair ? "fair" : "good";
}

/** How much of a bar a level fills, from 0 to 1: speech is between -50 and 0 dBov. */
export function fill(level: number | null): number {
  if (level === null) return 0;
  return Math.max(0, Math.min(1, 1 + level / 60));
}
