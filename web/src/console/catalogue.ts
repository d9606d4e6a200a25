/** A list of the server that is asked for page by page, and looked at again while somebody looks at it. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type { Answer, PageOf, Refusal } from "./server";

export interface Shown<T> {
  readonly items: readonly T[];
  readonly nextAfter: string | null;
  readonly isLoaded: boolean;
  readonly problem: string;
}

interface Listed {
  readonly id: string;
  /** Some have their ids from outside, and may be in several tenants by the same one. */
  readonly tenant?: { readonly id: string };
}

function key({ id, tenant }: Listed): string {
  return JSON.stringify([tenant?.id, id]);
}

export class Catalogue<T extends Listed> {
  private readonly state = signal<Shown<T>>({
    items: [],
    nextAfter: null,
    isLoaded: false,
    problem: "",
  });
  /** Only the latest answer counts. */
  private asked = 0;
  /** Whether more than the first page is shown, which looking again would take away. */
  private isLong = false;

  constructor(
    private readonly get: (after: string | null) => Promise<Answer<PageOf<T>>>,
    private readonly refused: (refusal: Refusal) => void,
  ) {}

  get shown(): ReadonlySignal<Shown<T>> {
    return this.state;
  }

  /** Looks at the list from its beginning. */
  async load(): Promise<void> {
    this.isLong = false;
    await this.ask(null);
  }

  /** The same, unless somebody has gone on in the list. */
  async refresh(): Promise<void> {
    if (!this.isLong) await this.ask(null);
  }

  async more(): Promise<void> {
    const { nextAfter } = this.state.value;
    if (nextAfter === null) return;
    this.isLong = true;
    await this.ask(nextAfter);
  }

  forget(): void {
    this.asked += 1;
    this.isLong = false;
    this.state.value = { items: [], nextAfter: null, isLoaded: false, problem: "" };
  }

  private async ask(after: string | null): Promise<void> {
    this.asked += 1;
    const { asked } = this;
    const answer = await this.get(after);
    if (asked !== this.asked) return;
    const before = this.state.value;
    if (!("value" in answer)) {
      this.state.value = { ...before, isLoaded: true, problem: answer.problem };
      return this.refused(answer);
    }
    const { items, nextAfter } = answer.value;
    const known = after === null ? [] : before.items;
    const keys = new Set(known.map(key));
    const all = [...known, ...items.filter((item) => !keys.has(key(item)))];
    this.state.value = { items: all, nextAfter, isLoaded: true, problem: "" };
  }
}
