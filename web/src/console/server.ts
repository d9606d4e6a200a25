/** Asks the server, over HTTP. */

import { SERVER_GONE } from "../common/session";
import { Clock } from "./clock";
import { isRecord, type Json, list, number, record, text, textOrNull } from "./json";
import { type Overview, overview } from "./lists";
import { type Attempt, attempt, type CallDetail, callDetail, summary } from "./protocol";

const BASE = "/hookswitch/v1/console";

/** Goes as the answers say. */
export const clock = new Clock();

/** Why something was not answered, as a sentence; `status` is 0 where there was no answer at all. */
export interface Refusal {
  readonly problem: string;
  readonly status: number;
}

export type Answer<T> = { readonly value: T } | Refusal;

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly nextAfter: string | null;
}

/** Where the events come from. */
export function eventsAddress(call: string | undefined): string {
  return call ? `${BASE}/events?call=${encodeURIComponent(call)}` : `${BASE}/events`;
}

/** Where everything of a call can be had as a file. */
export function downloadAddress(call: string): string {
  return `${BASE}/calls/${encodeURIComponent(call)}/timeline.json`;
}

export function getOverview(): Promise<Answer<Overview>> {
  return asked("GET", "overview", overview);
}

export function getCalls(state: "live" | "ended", after: string | null) {
  return pageOf("calls", { state, after, limit: "100" }, summary);
}

export function getCall(id: string): Promise<Answer<CallDetail>> {
  return asked("GET", `calls/${encodeURIComponent(id)}`, callDetail);
}

export function resend(call: string, sequence: number): Promise<Answer<Attempt>> {
  const path = `calls/${encodeURIComponent(call)}/notifications/${sequence}/resend`;
  return asked("POST", path, (value) => attempt(record(value.attempt)), {});
}

export interface Token {
  readonly token: string;
  readonly seconds: number;
}

export function getToken(app: string, tenant: string): Promise<Answer<Token>> {
  const read = (value: Json) =>
    typeof value.access_token === "string"
      ? { token: value.access_token, seconds: number(value.expires_in) }
      : undefined;
  return asked("POST", "token", read, { app, ...(tenant && { tenant }) });
}

export function testCall(app: string, tenant: string, to: string): Promise<Answer<string>> {
  const read = (value: Json) => text(value.id) || undefined;
  return asked("POST", "test-call", read, { app, to, ...(tenant && { tenant }) });
}

/** A page of a list. */
export function pageOf<T>(
  path: string,
  query: { readonly [name: string]: string | null },
  read: (item: Json) => T | undefined,
): Promise<Answer<PageOf<T>>> {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null) search.set(name, value);
  const suffix = search.size > 0 ? `?${search}` : "";
  return asked("GET", `${path}${suffix}`, (value) =>
    Array.isArray(value.value)
      ? { items: list(value.value, read), nextAfter: textOrNull(value.nextAfter) }
      : undefined,
  );
}

async function asked<T>(
  method: string,
  path: string,
  read: (value: Json) => T | undefined,
  body?: object,
): Promise<Answer<T>> {
  const response = await request(method, `${BASE}/${path}`, body);
  if (!response) return { problem: SERVER_GONE, status: 0 };
  const value = await json(response);
  if (!response.ok) return { problem: refusal(response, value), status: response.status };
  const found = read(record(value));
  if (found !== undefined) return { value: found };
  return { problem: "The server answered something else than expected.", status: response.status };
}

async function request(method: string, address: string, body?: object) {
  const options: RequestInit = { method, credentials: "same-origin", cache: "no-store" };
  if (body) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(address, options);
    clock.hear(response.headers.get("Date"), Date.now());
    return response;
  } catch {
    return undefined;
  }
}

async function json(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

function refusal(response: Response, value: unknown): string {
  const { error } = record(value);
  const message = isRecord(error) ? text(error.message) : "";
  if (message) return message;
  const wait = Number(response.headers.get("Retry-After"));
  const when = wait > 0 ? `in ${wait} seconds` : "in a while";
  return `The server answered ${response.status}. Try again ${when}.`;
}

/** What came of a request of the composer, for people to read. */
export interface Sent {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly milliseconds: number;
}

/** Those that say something to whoever writes a bot. */
const TELLING_HEADERS = [
  "location",
  "content-type",
  "request-id",
  "client-request-id",
  "retry-after",
  "www-authenticate",
  "date",
];

/** Sends a body as an application would. The cookie of whoever is signed in stays out of it. */
export async function createCall(token: string, body: string): Promise<Answer<Sent>> {
  const began = performance.now();
  try {
    const response = await fetch("/v1.0/communications/calls", {
      method: "POST",
      credentials: "omit",
      cache: "no-store",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body,
    });
    const answer = await response.text();
    const headers = TELLING_HEADERS.flatMap((name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    const milliseconds = performance.now() - began;
    const { status, statusText } = response;
    return { value: { status, statusText, headers, body: answer, milliseconds } };
  } catch {
    return { problem: SERVER_GONE, status: 0 };
  }
}
