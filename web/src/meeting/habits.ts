/** What this browser remembers of somebody's way to be in meetings. */

import { keep, kept } from "../common/preferences";

export interface Habits {
  /** What a guest is called. */
  readonly name: string;
  /** Whether single keys do something. */
  readonly keys: boolean;
}

const HABITS = "hookswitch.meeting.habits";

export function habits(): Habits {
  const { name, keys } = kept(localStorage, HABITS);
  return { name: typeof name === "string" ? name : "", keys: keys !== false };
}

export function form(changed: Partial<Habits>): void {
  keep(localStorage, HABITS, { ...habits(), ...changed });
}
