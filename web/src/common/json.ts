/** Reading what the server says, which may be of a later version: nothing is taken for what it should be. */

/** The fields that an object has, of any type until they are looked at. */
export type Json = { readonly [field: string]: unknown };

/** The object in a frame of a socket; `undefined` for anything else. */
export function objectIn(frame: unknown): Json | undefined {
  if (typeof frame !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(frame);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text that may be missing. */
export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A text whose absence means something. */
export function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export function oneOf<T extends string>(known: readonly T[], value: unknown): value is T {
  return known.some((one) => one === value);
}
