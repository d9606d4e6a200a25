import { beforeEach, expect, it } from "vitest";
import { Feed } from "./feed";

/** What the feed knows of an `EventSource`. */
class Source {
  onopen: () => void = () => {};
  onerror: () => void = () => {};
  isClosed = false;
  private readonly listeners = new Map<string, (event: object) => void>();

  constructor(readonly address: string) {}

  addEventListener(name: string, listener: (event: object) => void): void {
    this.listeners.set(name, listener);
  }

  close(): void {
    this.isClosed = true;
  }

  send(name: string, data: string): void {
    this.listeners.get(name)?.({ data });
  }
}

let sources: Source[];
let waits: { wait: number; act: () => void; isOff: boolean }[];
let told: unknown[];
let feed: Feed;

beforeEach(() => {
  sources = [];
  waits = [];
  told = [];
  const listener = {
    opened: () => told.push("opened"),
    heard: (event: string, data: unknown) => told.push([event, data]),
    lost: (wasOpen: boolean) => told.push(`lost, ${wasOpen ? "was" : "never"} open`),
  };
  feed = new Feed("/events", ["calls", "media"], listener, {
    open: (address) => {
      sources.push(new Source(address));
      return sources.at(-1) as unknown as EventSource;
    },
    later: (wait, act) => {
      const planned = { wait, act, isOff: false };
      waits.push(planned);
      return () => {
        planned.isOff = true;
      };
    },
    random: () => 0,
  });
});

const last = () => sources.at(-1) as Source;

it("events are heard by their names, and what is no JSON is not", () => {
  last().onopen();
  last().send("calls", '{"id":"1"}');
  last().send("calls", '{"id":');
  last().send("others", "{}");
  last().send("media", "[]");
  expect(told).toEqual(["opened", ["calls", { id: "1" }], ["media", []]]);
});

it("after a loss it opens again, later with each failure in a row", () => {
  last().onopen();
  for (let times = 0; times < 3; times += 1) {
    last().onerror();
    waits.at(-1)?.act();
  }
  expect(waits.map(({ wait }) => wait)).toEqual([500, 1000, 2000]);
  expect(told).toEqual(["opened", "lost, was open", "lost, never open", "lost, never open"]);
  last().onopen();
  last().onerror();
  expect(waits.at(-1)?.wait).toBe(500);
});

it("a source that was given up says nothing any more", () => {
  const first = last();
  first.onopen();
  feed.drop();
  expect(first.isClosed).toBe(true);
  first.send("calls", "{}");
  first.onerror();
  expect(told).toEqual(["opened", "lost, was open"]);
  feed.retry();
  expect(sources).toHaveLength(2);
  expect(waits.every(({ isOff }) => isOff)).toBe(true);
  feed.retry();
  expect(sources).toHaveLength(2);
});

it("nothing follows once it is closed", () => {
  last().onerror();
  feed.close();
  feed.retry();
  expect(sources).toHaveLength(1);
  expect(waits.every(({ isOff }) => isOff)).toBe(true);
});
