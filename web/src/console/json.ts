/** Reads what came as JSON, of which nothing is known until it is looked at. What is missing or of another type is nothing. */

import { isRecord, type Json } from "../common/json";

export { isRecord, type Json, text, textOrNull } from "../common/json";

const NOTHING: Json = {};

export function record(value: unknown): Json {
  return isRecord(value) ? value : NOTHING;
}

export function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

export function numberOrNull(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** A moment in milliseconds since 1970. */
export function timeOrNull(value: unknown): number | null {
  const found = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(found) ? null : found;
}

export function time(value: unknown): number {
  return timeOrNull(value) ?? 0;
}

/** The items that `read` understands. */
export function list<T>(value: unknown, read: (item: Json) => T | undefined): readonly T[] {
  if (!Array.isArray(value)) return [];
  return value.filter(isRecord).flatMap((item) => {
    const found = read(item);
    return found === undefined ? [] : [found];
  });
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
