/** The server's events, which come back by themselves. */

import { waitMs } from "../common/link";

/** What a feed needs of its surroundings; tests have their own. */
export interface Surroundings {
  readonly open: (address: string) => EventSource;
  /** Runs something later, and returns what takes that back. */
  readonly later: (milliseconds: number, act: () => void) => () => void;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export interface Listener {
  /** Events come from now on; whatever happened before has to be asked for. */
  readonly opened: () => void;
  readonly heard: (event: string, data: unknown) => void;
  /** They come no more; the next try follows by itself. */
  readonly lost: (wasOpen: boolean) => void;
}

/** Listens to events of these names, and again after each loss, until it is closed. */
export class Feed {
  private source: EventSource | undefined;
  private isOpen = false;
  private failures = 0;
  private cancel: () => void = () => {};
  private isClosed = false;

  constructor(
    private readonly address: string,
    private readonly names: readonly string[],
    private readonly listener: Listener,
    private readonly around: Surroundings,
  ) {
    this.open();
  }

  /** Tries at once: the network is back, or somebody pressed a button. */
  retry(): void {
    if (this.isClosed || this.source) return;
    this.cancel();
    this.open();
  }

  /** Takes the events for gone, though nobody said so: a network that is gone does not say so. */
  drop(): void {
    if (this.source) this.gone(this.source);
  }

  close(): void {
    this.isClosed = true;
    this.cancel();
    this.source?.close();
    this.source = undefined;
  }

  private open(): void {
    const source = this.around.open(this.address);
    this.source = source;
    source.onopen = () => {
      if (source !== this.source) return;
      this.isOpen = true;
      this.failures = 0;
      this.listener.opened();
    };
    // A browser tries again by itself after some losses and not after others; here it is always the same.
    source.onerror = () => this.gone(source);
    for (const name of this.names) {
      source.addEventListener(name, (event) => {
        if (source === this.source) this.hear(name, (event as MessageEvent).data);
      });
    }
  }

  private hear(name: string, text: unknown): void {
    try {
      this.listener.heard(name, JSON.parse(String(text)));
    } catch (error) {
      // Of a later version, or cut off.
      if (!(error instanceof SyntaxError)) throw error;
    }
  }

  private gone(source: EventSource): void {
    if (source !== this.source || this.isClosed) return;
    const wasOpen = this.isOpen;
    source.close();
    this.source = undefined;
    this.isOpen = false;
    this.failures += 1;
    const wait = waitMs(this.failures, this.around.random());
    this.cancel = this.around.later(wait, () => this.open());
    this.listener.lost(wasOpen);
  }
}
