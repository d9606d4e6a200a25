/** The list of calls: what the server listed, and what it has told of since. */

import type { Summary } from "./protocol";

export type Which = "live" | "ended";

export interface CallList {
  readonly calls: readonly Summary[];
  /** What asks for the next page of the list; `null` where there is none. */
  readonly nextAfter: string | null;
  readonly isLoaded: boolean;
  /** What was told of while the first page was on its way, which may know it or not. */
  readonly early: readonly Summary[];
}

export interface Page {
  readonly calls: readonly Summary[];
  readonly nextAfter: string | null;
}

export const EMPTY: CallList = { calls: [], nextAfter: null, isLoaded: false, early: [] };

/** Arbitrary: more than anybody looks through, and little enough to be drawn at once. */
export const MAX_LISTED = 1000;

/** Where a call is in its life, as far as colours and words need it. */
export type Phase = "starting" | "going" | "moving" | "ended" | "failed";

export function isOver(call: Pick<Summary, "state">): boolean {
  return call.state === "terminated";
}

export function phase(call: Pick<Summary, "state" | "result">): Phase {
  switch (call.state) {
    case "established":
      return "going";
    case "terminated":
      return hasFailed(call) ? "failed" : "ended";
    case "transferring":
    case "transferAccepted":
    case "redirecting":
    case "terminating":
      return "moving";
    default:
      return "starting";
  }
}

/** Whether a call ended otherwise than somebody wanted: codes are those of HTTP, and 0 where a call was handed over. */
export function hasFailed(call: Pick<Summary, "result">): boolean {
  return call.result !== null && call.result.code >= 400;
}

/** The first page of a list has come. */
export function loaded(list: CallList, page: Page, which: Which): CallList {
  const fresh = { calls: page.calls, nextAfter: page.nextAfter, isLoaded: true, early: [] };
  return list.early.reduce<CallList>((list, call) => told(list, call, which), fresh);
}

/** The next page has come. Calls that are known already have moved there meanwhile. */
export function continued(list: CallList, page: Page): CallList {
  const known = new Set(list.calls.map(({ id }) => id));
  const calls = [...list.calls, ...page.calls.filter(({ id }) => !known.has(id))];
  return {
    ...list,
    calls: calls.slice(0, MAX_LISTED),
    nextAfter: calls.length < MAX_LISTED ? page.nextAfter : null,
  };
}

/** The stream was lost and is back: what is listed stays until the list has come anew. */
export function reopened(list: CallList): CallList {
  return { ...list, isLoaded: false, early: [] };
}

/** A call is new or has changed. */
export function told(list: CallList, call: Summary, which: Which): CallList {
  const early = list.isLoaded ? list.early : [...list.early, call].slice(-MAX_LISTED);
  const at = list.calls.findIndex(({ id }) => id === call.id);
  const belongs = isOver(call) === (which === "ended");
  if (!belongs) {
    const calls = at < 0 ? list.calls : list.calls.filter(({ id }) => id !== call.id);
    return { ...list, calls, early };
  }
  const calls = at < 0 ? [call, ...list.calls].slice(0, MAX_LISTED) : list.calls.with(at, call);
  return { ...list, calls, early };
}

/** The calls in which all words of `query` occur, whatever their case. */
export function filtered(calls: readonly Summary[], query: string): readonly Summary[] {
  const words = query.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return calls;
  return calls.filter((call) => {
    const text = searchable(call).toLocaleLowerCase();
    return words.every((word) => text.includes(word));
  });
}

function searchable(call: Summary): string {
  const { id, who, subject, state, kind, direction, app, tenant, result } = call;
  const parts = [id, who, subject ?? "", state, kind, direction, app.name, app.id, tenant.name];
  if (result) parts.push(`${result.code}`, `${result.subcode}`, result.message);
  // Words do not reach from one part into the next.
  return parts.join("\n");
}
