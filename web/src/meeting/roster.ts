/** Who is there, and what of it is worth telling. */

import type { Participant } from "./protocol";

type People = readonly Participant[];

export function find(people: People, id: string | null): Participant | undefined {
  return people.find((one) => one.id === id);
}

/** Whether somebody has been let in. */
export function isInside({ isInLobby }: Participant): boolean {
  return !isInLobby;
}

export function inside(people: People): People {
  return people.filter(isInside);
}

/** Those in the lobby. */
export function waiting(people: People): People {
  return people.filter((one) => one.isInLobby);
}

/** Whether somebody lets people in, mutes and removes them, as far as the page knows; the server has the last word. */
export function mayManage(person: Participant | undefined): boolean {
  const role = person?.role ?? null;
  return role === "organizer" || role === "coorganizer" || role === "presenter";
}

/** As they are listed: raised hands in their order, then oneself, then the others by name. */
export function listed(people: People, you: string | null): People {
  const rank = (one: Participant) => (one.hand !== null ? 0 : one.id === you ? 1 : 2);
  return [...inside(people)].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.hand ?? 0) - (b.hand ?? 0) ||
      a.name.localeCompare(b.name) ||
      (a.id < b.id ? -1 : 1),
  );
}

export function calledBy(person: Participant): string {
  return person.name || "Somebody";
}

/** More names than these are not read out. */
const MAX_NAMES = 3;

/** What changed from one roster to the next, in sentences; empty for nothing, and for the first one. */
export function news(before: People, after: People, you: string | null): string {
  if (before.length === 0) return "";
  const others = after.filter((one) => one.id !== you);
  const was = (one: Participant) => find(before, one.id);
  const came = inside(others).filter((one) => !was(one) || was(one)?.isInLobby);
  const left = inside(before).filter((one) => one.id !== you && !find(after, one.id));
  const waits = waiting(others).filter((one) => !was(one)?.isInLobby);
  const raised = others.filter((one) => one.hand !== null && was(one) && was(one)?.hand === null);
  const shares = others.filter((one) => one.screen && !was(one)?.screen);
  const stopped = others.filter((one) => !one.screen && was(one)?.screen);
  const sentences = [
    sentence(waits, "waits in the lobby", "wait in the lobby"),
    sentence(came, "came in", "came in"),
    sentence(left, "left", "left"),
    sentence(raised, "raised a hand", "raised their hands"),
    sentence(shares, "shares the screen", "share their screens"),
    shares.length === 0 && sentence(stopped, "no longer shares the screen", "no longer share"),
  ];
  return sentences.filter(Boolean).join(" ");
}

function sentence(people: People, one: string, several: string): string {
  if (people.length === 0) return "";
  if (people.length > MAX_NAMES) return `${people.length} people ${several}.`;
  const names = people.map(calledBy);
  const [last, ...rest] = names.reverse();
  if (rest.length === 0) return `${last} ${one}.`;
  return `${rest.reverse().join(", ")} and ${last} ${several}.`;
}
