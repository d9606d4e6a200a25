import { signal } from "@preact/signals";

/** What screen readers say next. */
export class Announcer {
  readonly text = signal("");

  /** The same text twice would not be a change, and not be read. */
  say(text: string): void {
    this.text.value = this.text.value === text ? `${text}\u00a0` : text;
  }
}
