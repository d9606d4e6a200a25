/** Calls as the server tells of them, for tests. */

import { record } from "./json";
import { type CallDetail, callDetail, type Summary, summary } from "./protocol";

const SUMMARY = {
  id: "57dab8b1-894c-409a-b240-bd8beae78896",
  app: { id: "2891555a-92ff-42e6-80fa-6e1300c6b5c6", name: "Calling Bot" },
  tenant: { id: "aa67bd4c-8475-432d-bd41-39f255720e0a", name: "Contoso" },
  state: "established",
  direction: "outgoing",
  kind: "peerToPeer",
  who: "John",
  subject: null,
  held: false,
  since: "2026-11-27T02:40:00.000Z",
  answered: "2026-11-27T02:40:01.200Z",
  ended: null,
  result: null,
  notifications: 2,
};

export const BEGAN = Date.parse(SUMMARY.since);

export function aCall(changes: object = {}): Summary {
  const call = summary({ ...SUMMARY, ...changes });
  if (!call) throw new Error("this is no call");
  return call;
}

export function aDetail(changes: object = {}): CallDetail {
  const detail = callDetail({ summary: SUMMARY, ...record(changes) });
  if (!detail) throw new Error("this is no call");
  return detail;
}

/** The moment so many milliseconds after the call began, as the server writes it. */
export function after(milliseconds: number): string {
  return new Date(BEGAN + milliseconds).toISOString();
}
