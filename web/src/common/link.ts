/** The socket to the server, which comes back by itself. */

/** What a link needs of its surroundings; tests have their own. */
export interface Surroundings {
  readonly open: (address: string) => WebSocket;
  /** Runs something later, and returns what takes that back. */
  readonly later: (milliseconds: number, act: () => void) => () => void;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** What a browser gives. */
export const BROWSER: Surroundings = {
  open: (address) => new WebSocket(address),
  later: (milliseconds, act) => {
    const timer = setTimeout(act, milliseconds);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

export interface Listener<Heard> {
  /** Reads a frame; `undefined` for one that is not understood. */
  readonly parse: (frame: unknown) => Heard | undefined;
  readonly heard: (message: Heard) => void;
  /** The socket is gone; the next try follows after `retryMs`. */
  readonly lost: (wasOpen: boolean, retryMs: number) => void;
}

const FIRST_WAIT_MS = 500;
/** Short enough that calls, which wait for 30 s, get two tries at least. */
const LONGEST_WAIT_MS = 10_000;
/** A server that takes the connection but says nothing is as good as gone. */
const WELCOME_WITHIN_MS = 8000;

/** How long to wait before try number `failures`, counted from 1: doubled each time, up to a fifth less at random. */
export function waitMs(failures: number, random: number): number {
  const doubled = Math.min(FIRST_WAIT_MS * 2 ** (failures - 1), LONGEST_WAIT_MS);
  return Math.round(doubled * (1 - random / 5));
}

/** The address of a socket of this server. */
export function socketAddress(path: string, query: { readonly [name: string]: string }): string {
  const address = new URL(path, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  return address.href;
}

/** Opens, listens, and opens again until it is closed. Each socket counts once the server has said `welcome`. */
export class Link<Heard extends { readonly type: string }, Said> {
  private socket: WebSocket | undefined;
  private welcomed = false;
  private failures = 0;
  private cancel: () => void = () => {};
  private isClosed = false;

  constructor(
    private readonly address: string,
    private readonly listener: Listener<Heard>,
    private readonly around: Surroundings,
  ) {
    this.open();
  }

  /** Sends, where there is a socket; otherwise what is said is lost, and the next welcome sets things right. */
  send(message: Said): void {
    if (this.welcomed) this.socket?.send(JSON.stringify(message));
  }

  /** Tries at once: the network is back, or somebody pressed a button. */
  retry(): void {
    if (this.isClosed || this.socket) return;
    this.cancel();
    this.open();
  }

  /** Takes the socket for dead, though nobody closed it: a network that is gone does not say so. */
  drop(): void {
    const socket = this.socket;
    if (!socket) return;
    socket.close();
    this.gone(socket);
  }

  close(): void {
    this.isClosed = true;
    this.cancel();
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }

  private open(): void {
    const socket = this.around.open(this.address);
    this.socket = socket;
    this.welcomed = false;
    this.cancel = this.around.later(WELCOME_WITHIN_MS, () => this.drop());
    socket.onmessage = (event) => {
      if (socket === this.socket) this.hear(event.data);
    };
    socket.onclose = () => this.gone(socket);
  }

  private hear(frame: unknown): void {
    const message = this.listener.parse(frame);
    if (!message) return;
    if (message.type === "welcome") {
      this.cancel();
      this.welcomed = true;
      this.failures = 0;
    }
    this.listener.heard(message);
  }

  private gone(socket: WebSocket): void {
    if (socket !== this.socket || this.isClosed) return;
    this.cancel();
    const wasOpen = this.welcomed;
    this.socket = undefined;
    this.welcomed = false;
    this.failures += 1;
    const wait = waitMs(this.failures, this.around.random());
    this.cancel = this.around.later(wait, () => this.open());
    this.listener.lost(wasOpen, wait);
  }
}
