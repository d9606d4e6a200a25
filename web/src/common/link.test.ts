import { beforeEach, describe, expect, it } from "vitest";
import { Link, waitMs } from "./link";

type Message = { type: string; what?: string };

class Socket {
  sent: string[] = [];
  isClosed = false;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.isClosed = true;
  }

  welcome(): void {
    this.onmessage?.({ data: "welcome" });
  }
}

let sockets: Socket[];
let timers: { wait: number; act: () => void }[];
let heard: Message[];
let lost: [boolean, number][];
let link: Link<Message, Message>;

const last = () => sockets.at(-1) ?? new Socket();
const elapse = () => timers.splice(0).map((timer) => timer.act());

beforeEach(() => {
  [sockets, timers, heard, lost] = [[], [], [], []];
  const around = {
    open: () => {
      sockets.push(new Socket());
      return last() as unknown as WebSocket;
    },
    later: (wait: number, act: () => void) => {
      const timer = { wait, act };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    random: () => 0,
  };
  const listener = {
    parse: (frame: unknown) => (typeof frame === "string" ? { type: frame } : undefined),
    heard: (message: Message) => heard.push(message),
    lost: (wasOpen: boolean, wait: number) => lost.push([wasOpen, wait]),
  };
  link = new Link("ws://here/", listener, around);
});

describe("the link to the server", () => {
  it("waits twice as long after each failure, up to ten seconds", () => {
    expect([1, 2, 3, 4, 5, 6, 60].map((failures) => waitMs(failures, 0))).toEqual([
      500, 1000, 2000, 4000, 8000, 10000, 10000,
    ]);
    expect(waitMs(1, 0.999)).toBe(400);
  });

  it("comes back after a loss, and begins to count anew once it is welcomed", () => {
    last().welcome();
    last().onclose?.();
    expect(lost).toEqual([[true, 500]]);
    elapse();
    last().onclose?.();
    elapse();
    last().welcome();
    last().onclose?.();
    expect(lost).toEqual([
      [true, 500],
      [false, 1000],
      [true, 500],
    ]);
    expect(sockets).toHaveLength(3);
  });

  it("says nothing before it is welcomed", () => {
    link.send({ type: "say", what: "lost" });
    last().welcome();
    link.send({ type: "say", what: "hello" });
    expect(last().sent).toEqual(['{"type":"say","what":"hello"}']);
  });

  it("gives up a server that takes the connection and says nothing", () => {
    const [mute] = sockets;
    elapse();
    expect(mute?.isClosed).toBe(true);
    expect(lost).toEqual([[false, 500]]);
  });

  it("does not listen to a socket that it has given up", () => {
    const old = last();
    old.welcome();
    link.drop();
    old.welcome();
    old.onclose?.();
    expect(heard).toHaveLength(1);
    expect(lost).toHaveLength(1);
  });

  it("tries at once when it is told to, and only where there is no socket", () => {
    link.retry();
    expect(sockets).toHaveLength(1);
    last().onclose?.();
    link.retry();
    expect(sockets).toHaveLength(2);
    expect(timers.map((timer) => timer.wait)).toEqual([8000]);
  });

  it("stays away once it is closed", () => {
    const socket = last();
    link.close();
    socket.onclose?.();
    elapse();
    expect(socket.isClosed).toBe(true);
    expect(sockets).toHaveLength(1);
  });
});
