import { expect, it } from "vitest";
import { continued, EMPTY, filtered, loaded, MAX_LISTED, phase, reopened, told } from "./calls";
import { aCall } from "./fixtures";

const one = aCall({ id: "1", who: "John" });
const two = aCall({ id: "2", who: "Alice Adams" });
const ended = aCall({ id: "1", state: "terminated", result: { code: 486, subcode: 10003 } });
const page = { calls: [one], nextAfter: null };

it("new calls are first, and those that change stay where they are", () => {
  let list = loaded(EMPTY, page, "live");
  list = told(list, two, "live");
  expect(list.calls.map(({ id }) => id)).toEqual(["2", "1"]);
  list = told(list, { ...one, held: true }, "live");
  expect(list.calls.map(({ id, held }) => [id, held])).toEqual([
    ["2", false],
    ["1", true],
  ]);
});

it("a call that ends goes from one list to the other", () => {
  expect(told(loaded(EMPTY, page, "live"), ended, "live").calls).toEqual([]);
  expect(
    told(loaded(EMPTY, { calls: [], nextAfter: null }, "ended"), ended, "ended").calls,
  ).toEqual([ended]);
});

it("what is told while the list is on its way is newer than the list", () => {
  const list = loaded(told(told(EMPTY, ended, "live"), two, "live"), page, "live");
  expect(list.calls).toEqual([two]);
  // Once it is there, nothing is kept for later.
  expect(loaded(told(list, ended, "live"), page, "live").calls).toEqual([one]);
});

it("a list stays visible while it is loaded again", () => {
  const list = reopened(loaded(EMPTY, page, "live"));
  expect(list.calls).toEqual([one]);
  expect(list.isLoaded).toBe(false);
});

it("pages follow each other without repeating calls, up to a bound", () => {
  const list = loaded(EMPTY, { calls: [one], nextAfter: "1" }, "live");
  expect(continued(list, { calls: [one, two], nextAfter: "2" })).toMatchObject({
    calls: [one, two],
    nextAfter: "2",
  });
  const many = Array.from({ length: MAX_LISTED + 5 }, (_, at) => aCall({ id: `m${at}` }));
  const full = continued(list, { calls: many, nextAfter: "more" });
  expect([full.calls.length, full.nextAfter]).toEqual([MAX_LISTED, null]);
  expect(told(full, two, "live").calls.length).toBe(MAX_LISTED);
});

it("calls are found by all words that are written, in whatever is shown of them", () => {
  const all = [ended, two];
  const found = (query: string) => filtered(all, query).map(({ id }) => id);
  expect(found("")).toEqual(["1", "2"]);
  expect(found(" ADAMS  alice ")).toEqual(["2"]);
  expect(found("calling bot")).toEqual(["1", "2"]);
  expect(found("486")).toEqual(["1"]);
  expect(found("terminated john")).toEqual(["1"]);
  expect(found("nobody")).toEqual([]);
});

it("colours follow states, and results of calls that are over", () => {
  const phases = ["incoming", "established", "transferring", "somethingNew"].map((state) =>
    phase(aCall({ state })),
  );
  expect(phases).toEqual(["starting", "going", "moving", "starting"]);
  const results = [{ code: 200, subcode: 0 }, { code: 0, subcode: 7015 }, { code: 486 }, null];
  expect(results.map((result) => phase(aCall({ state: "terminated", result })))).toEqual([
    "ended",
    "ended",
    "failed",
    "ended",
  ]);
});
