import { expect, it } from "vitest";
import { aDetail, after, BEGAN } from "./fixtures";
import { arrowText, ladder } from "./ladder";
import { draw, type Picture, zooms } from "./picture";
import type { CallDetail } from "./protocol";
import { entryText, type Item, type Story, spaced, story, words } from "./story";

let counted = 0;

function entry(milliseconds: number, lane: string, what: string, text = "", ref?: string) {
  counted += 1;
  return { sequence: counted, at: after(milliseconds), lane, what, text, ref };
}

function sip(milliseconds: number, direction: string, startLine: string, more: object = {}) {
  counted += 1;
  const status = /^SIP\/2.0 (\d+)/.exec(startLine)?.[1];
  return {
    sequence: counted,
    at: after(milliseconds),
    direction,
    peer: "udp:127.0.0.1:40000",
    dialog: "d1",
    isRequest: status === undefined,
    method: "INVITE",
    status: status === undefined ? null : Number(status),
    startLine,
    ...more,
  };
}

const ended = {
  state: "terminated",
  ended: after(10_000),
  result: { code: 200, subcode: 0, message: "Done" },
};

/** A call whose details are `changes`, with its summary changed by `summary`. */
function call(changes: object, summary: object = {}): CallDetail {
  const detail = aDetail(changes);
  const { summary: before } = detail;
  const found = aDetail({ summary: { ...wire(before), ...summary }, ...changes });
  return found;
}

function wire({ since, answered, ended, ...rest }: CallDetail["summary"]) {
  const written = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return { ...rest, since: written(since), answered: written(answered), ended: written(ended) };
}

function lane(told: Story, name: string): readonly Item[] {
  return told.lanes.find((lane) => lane.name === name)?.items ?? [];
}

const spans = (items: readonly Item[]) =>
  items.map(({ label, kind, from, to }) => [label, kind, from - BEGAN, to && to - BEGAN]);

it("states are bars that follow each other, and the last one goes on while the call does", () => {
  const timeline = [
    entry(0, "state", "establishing"),
    entry(1200, "state", "established"),
    entry(3000, "state", "held"),
    entry(4000, "state", "resumed"),
  ];
  const told = story(call({ timeline }), BEGAN + 6000);
  expect(spans(lane(told, "State"))).toEqual([
    ["Establishing", "starting", 0, 1200],
    ["Established", "going", 1200, null],
    ["On hold", "held", 3000, 4000],
  ]);
  expect(told.to - BEGAN).toBe(6000);
});

it("the end of a call is a pin with its result", () => {
  const timeline = [entry(0, "state", "established"), entry(10_000, "state", "terminated")];
  const result = { code: 486, subcode: 10003, message: "Busy" };
  const told = story(call({ timeline }, { ...ended, result }), BEGAN + 60_000);
  expect(spans(lane(told, "State"))).toEqual([
    ["Established", "going", 0, 10_000],
    ["486", "failed", 10_000, 10_000],
  ]);
  expect(lane(told, "State")[1]?.title).toBe("Ended: 486 / 10003: Busy");
  // What comes after it is no part of it.
  expect(told.to - BEGAN).toBe(10_000);
});

it("of a call that is not remembered the summary tells", () => {
  expect(spans(lane(story(call({}, ended), BEGAN), "State"))).toEqual([
    ["Establishing", "starting", 0, 1200],
    ["Established", "going", 1200, 10_000],
    ["200", "ended", 10_000, 10_000],
  ]);
  const coming = call({}, { answered: null, direction: "incoming", state: "incoming" });
  expect(spans(lane(story(coming, BEGAN), "State"))).toEqual([["Incoming", "starting", 0, null]]);
});

it("operations last from their first entry to their last", () => {
  const timeline = [
    entry(100, "operation", "running", "playPrompt", "a"),
    entry(200, "operation", "running", "recordResponse", "b"),
    entry(900, "operation", "failed", "playPrompt: no file", "a"),
  ];
  expect(spans(lane(story(call({ timeline }), BEGAN), "Operations"))).toEqual([
    ["Play prompt", "failed", 100, 900],
    ["Record response", "moving", 200, null],
  ]);
});

it("phones are told apart, and what they do lasts until they do something else", () => {
  const timeline = [
    entry(0, "leg", "calling", "John", "1"),
    entry(10, "leg", "calling", "Alice", "2"),
    entry(500, "leg", "answered", "John", "1"),
    entry(600, "leg", "left", "Alice", "2"),
  ];
  expect(spans(lane(story(call({ timeline }), BEGAN), "Phones"))).toEqual([
    ["Calling: John", "starting", 0, 500],
    ["John", "going", 500, null],
    ["Calling: Alice", "starting", 10, 600],
    ["Left", "ended", 600, 600],
  ]);
});

it("where nobody says which phone it is, there is one, and remarks do not end what it does", () => {
  const timeline = [
    entry(0, "leg", "calling"),
    entry(100, "leg", "ringing"),
    entry(500, "leg", "answered"),
    entry(700, "leg", "offered"),
    entry(900, "leg", "left", "HungUp"),
  ];
  const items = lane(story(call({ timeline }), BEGAN), "Phones");
  expect(spans(items)).toEqual([
    ["Calling", "starting", 0, 100],
    ["Ringing", "starting", 100, 500],
    ["Answered", "going", 500, 900],
    ["Left", "ended", 900, 900],
    ["Offered", "plain", 700, 700],
  ]);
  expect(items[3]?.title).toBe("Left: HungUp");
});

it("notifications show how their delivery went", () => {
  const attempts = [
    { number: 1, at: after(0), status: 503 },
    { number: 2, at: after(2000), status: null, error: "refused" },
    { number: 3, at: after(6000), status: 204 },
  ];
  const notifications = [
    { sequence: 1, state: "delivered", createdAt: after(0), attempts },
    { sequence: 2, state: "pending", createdAt: after(10), attempts: [] },
    { sequence: 3, state: "abandoned", createdAt: after(20), attempts: [] },
  ];
  const found = lane(story(call({ notifications }), BEGAN), "Notifications");
  expect(found.map(({ kind }) => kind)).toEqual(["done", "waiting", "failed"]);
  expect(found[0]?.dots.map(({ kind }) => kind)).toEqual(["failed", "done"]);
  expect(found[0]?.target).toEqual({ type: "notification", sequence: 1 });
});

it("what is tried for hours after a call does not make the call invisible", () => {
  const attempts = [0, 20_000, 3_600_000].map((at, index) => ({ number: index, at: after(at) }));
  const notifications = [{ sequence: 1, state: "pending", createdAt: after(0), attempts }];
  const over = story(call({ notifications }, ended), BEGAN + 4_000_000);
  expect(over.to - BEGAN).toBe(20_000);
  expect(lane(over, "Notifications")[0]?.dots).toHaveLength(1);
  // A call that goes on is drawn whole.
  const live = story(call({ notifications }), BEGAN + 4_000_000);
  expect(live.to - BEGAN).toBe(4_000_000);
  expect(lane(live, "Notifications")[0]?.dots).toHaveLength(2);
});

it("lanes that nobody knows are shown under their names", () => {
  const timeline = [entry(0, "weather", "rain", "in Bonn"), entry(5, "tone", "heard", "#")];
  const told = story(call({ timeline }), BEGAN);
  expect(told.lanes.map(({ name }) => name)).toEqual(["State", "Tones", "weather"]);
  expect(lane(told, "weather")[0]?.title).toBe("Rain: in Bonn");
});

it("entries are told in words", () => {
  const timeline = [
    entry(0, "operation", "notStarted", "playPrompt"),
    entry(0, "operation", "failed", "recordResponse: nobody spoke"),
    entry(0, "operation", "running"),
    entry(0, "state", "held"),
    entry(0, "conference", "roster", "3 participants"),
    entry(0, "notification", "delivered", "202 in 12 ms", "3"),
    entry(0, "notification", "queued", "", "4"),
  ];
  expect(aDetail({ timeline }).timeline.map(entryText)).toEqual([
    "Play prompt not started",
    "Record response failed: nobody spoke",
    "Running",
    "Held",
    "Roster: 3 participants",
    "Notification 3 delivered: 202 in 12 ms",
    "Notification 4 queued",
  ]);
  expect(spaced("")).toBe("");
  expect(spaced("contentSharing")).toBe("Content sharing");
  expect(words("contentSharing")).toBe("content sharing");
});

/** What lies over each other in the same row. */
function collisions(picture: Picture): string[] {
  return picture.lanes.flatMap(({ items }) =>
    // Those that belong in a row lie where they are: the end of a call on the end of its last state.
    items.flatMap((one, at) =>
      items
        .slice(at + 1)
        .filter(({ item }) => item.row === null)
        .filter((other) => other.y === one.y && other.x < one.x + one.width - 0.01)
        .map((other) => `${one.item.title} and ${other.item.title}`),
    ),
  );
}

it("what happens at the same time is drawn below each other", () => {
  const timeline = [
    ...[0, 100, 200, 5000].map((at) => entry(at, "tone", "heard", "1")),
    ...["a", "b", "c"].map((ref) => entry(50, "operation", "running", "playPrompt", ref)),
  ];
  const told = story(call({ timeline }, ended), BEGAN);
  for (const width of [200, 700, 5000]) {
    const picture = draw(told, width);
    expect(collisions(picture)).toEqual([]);
    const drawn = picture.lanes.flatMap(({ items }) => items);
    expect(drawn.every(({ x, width: own }) => x >= 0 && x + own <= width)).toBe(true);
    const bottoms = drawn.map(({ y }) => y);
    expect(Math.max(...bottoms)).toBeLessThan(picture.height);
  }
});

it("a thousand entries at once do not make an endless picture", () => {
  const timeline = Array.from({ length: 1000 }, () => entry(10, "tone", "heard", "5"));
  const picture = draw(story(call({ timeline }), BEGAN), 600);
  expect(picture.height).toBeLessThan(400);
  const drawn = picture.lanes[1]?.items ?? [];
  expect(drawn.length).toBeLessThan(10);
  // Those that are not drawn are counted.
  expect(drawn.at(-1)?.label).toBe(`+${1001 - drawn.length}`);
  expect(collisions(picture)).toEqual([]);
});

it("pictures are not made wider than browsers draw well", () => {
  expect(zooms(700)).toEqual([1, 2, 4, 8, 16, 32]);
  expect(zooms(300).at(-1)).toBe(128);
});

it("messages go from column to column, one below the other", () => {
  const messages = aDetail({
    sip: [
      sip(0, "sent", "INVITE sip:john@127.0.0.1 SIP/2.0"),
      sip(20, "received", "SIP/2.0 180 Ringing"),
      sip(1500, "received", "SIP/2.0 200 OK"),
      sip(1510, "sent", "INVITE sip:x SIP/2.0", { peer: "tcp:192.0.2.1:5060", dialog: "d2" }),
    ],
  }).sip;
  const drawn = ladder(messages, 600);
  expect(drawn.columns.map(({ name }) => name)).toEqual([
    "Hookswitch",
    "udp:127.0.0.1:40000",
    "tcp:192.0.2.1:5060",
  ]);
  const [server, phone, trunk] = drawn.columns.map(({ x }) => x);
  expect(drawn.arrows.map(({ from, to }) => [from, to])).toEqual([
    [server, phone],
    [phone, server],
    [phone, server],
    [server, trunk],
  ]);
  expect(drawn.arrows.map(({ label, pause }) => `${label}${pause && ` ${pause}`}`)).toEqual([
    "INVITE",
    "180 Ringing (INVITE)",
    "200 OK (INVITE) +1.4 s",
    "INVITE",
  ]);
  const rows = drawn.arrows.map(({ y }) => y);
  expect(rows).toEqual([...rows].sort((a, b) => a - b));
  expect(Math.max(...rows)).toBeLessThan(drawn.height);
  expect(drawn.arrows.map(({ dialog }) => dialog)).toEqual([0, 0, 0, 1]);
  // With less room than it needs it is wider than that, and one scrolls.
  const narrow = ladder(messages.slice(0, 3), 254);
  expect(narrow.width).toBe(254);
  expect(narrow.arrows.map(({ label }) => label)).toEqual([
    "INVITE",
    "180 Ringing",
    "200 OK (INVITE)",
  ]);
  expect(narrow.arrows.map(arrowText)[1]).toBe("180 Ringing (INVITE), from udp:127.0.0.1:40000");
  expect(ladder(messages, 100).width).toBe(62 + 58 + 2 * 130);
});
