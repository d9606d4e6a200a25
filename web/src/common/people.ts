/** People, as the server names them. Names are any text: they are shown as text, never as markup. */

import { isRecord, type Json, text } from "./json";

export interface Person {
  readonly name: string;
  readonly address: string;
}

export interface User extends Person {
  readonly id: string;
}

const NOTHING: Json = {};

export function person(value: unknown): Person {
  const { name, address } = isRecord(value) ? value : NOTHING;
  return { name: text(name), address: text(address) };
}

/** Whoever is signed in, as sockets and the session tell it. */
export function user(value: unknown): User | undefined {
  if (!isRecord(value) || typeof value.id !== "string") return undefined;
  return { id: value.id, ...person(value) };
}

/** How somebody is called in a sentence. */
export function named(person: Person): string {
  return person.name || person.address || "Somebody";
}

/** One or two letters that stand for somebody. */
export function initials(name: string): string {
  const words = name.replace(/^sips?:/i, "").match(/[\p{L}\p{N}]+/gu) ?? [];
  const [first, ...others] = words.map((word) => [...word][0] ?? "");
  const isAddress = name.includes("@");
  return `${first ?? "?"}${isAddress ? "" : (others.at(-1) ?? "")}`.toUpperCase();
}
