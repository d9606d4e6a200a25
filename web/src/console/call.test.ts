import { expect, it } from "vitest";
import {
  type CallPage,
  failed,
  fill,
  grade,
  heard,
  levels,
  loaded,
  MAX_SAMPLES,
  type News,
  opened,
  outdates,
  resent,
} from "./call";
import { aCall, aDetail, after } from "./fixtures";
import { attempt, entry, mediaSample, notification } from "./protocol";

function anEntry(sequence: number, lane = "state"): News {
  const found = entry({ sequence, at: after(sequence), lane, what: "established" });
  if (!found) throw new Error("this is no entry");
  return { type: "entry", entry: found };
}

function aNotification(sequence: number, state: string, attempts: number): News {
  const tries = Array.from({ length: attempts }, (_, at) => ({ number: at + 1, at: after(at) }));
  const found = notification({ sequence, state, createdAt: after(0), attempts: tries });
  if (!found) throw new Error("this is no notification");
  return { type: "notification", notification: found };
}

function aSample(second: number, levelIn: number | null): News {
  const sample = mediaSample({ at: after(second * 1000), participants: [{ id: "p1", levelIn }] });
  if (!sample) throw new Error("this is no sample");
  return { type: "media", sample };
}

const sequences = (page: CallPage) => page.detail?.timeline.map(({ sequence }) => sequence);

it("news that come before the call are not lost, and none is there twice", () => {
  const early = [anEntry(3), anEntry(2)].reduce(heard, opened("1"));
  const timeline = [1, 2].map((sequence) => ({ sequence, at: after(sequence), lane: "state" }));
  const page = loaded(early, aDetail({ timeline }));
  expect(sequences(page)).toEqual([1, 2, 3]);
  expect(sequences([anEntry(4), anEntry(4), anEntry(1)].reduce(heard, page))).toEqual([1, 2, 3, 4]);
});

it("loading again keeps what came meanwhile", () => {
  const page = heard(loaded(opened("1"), aDetail()), anEntry(9));
  const again = loaded(failed(page, "gone"), aDetail({ operations: [{ id: "op" }] }));
  expect(sequences(again)).toEqual([9]);
  expect(again.detail?.operations.map(({ id }) => id)).toEqual(["op"]);
  expect(again.problem).toBe("");
});

it("of a notification the latest is shown, whichever way it came", () => {
  const states = (page: CallPage) =>
    page.detail?.notifications.map(({ sequence, state, attempts }) => [
      sequence,
      state,
      attempts.length,
    ]);
  const news = [aNotification(1, "pending", 1), aNotification(1, "delivered", 2)];
  let page = [...news, aNotification(2, "pending", 0)].reduce(
    heard,
    loaded(opened("1"), aDetail()),
  );
  const older = [{ sequence: 1, state: "pending", createdAt: after(0), attempts: [] }];
  page = loaded(page, aDetail({ notifications: older }));
  expect(states(page)).toEqual([
    [1, "delivered", 2],
    [2, "pending", 0],
  ]);
  expect(states(heard(page, aNotification(1, "delivered", 3)))?.[0]).toEqual([1, "delivered", 3]);
});

it("a notification that is sent again has one more attempt, whichever way that is heard of", () => {
  const [sent] = [aNotification(1, "delivered", 1)];
  if (sent?.type !== "notification") throw new Error("this is no notification");
  const again = attempt({ number: 1, at: after(9000), status: 202, resend: true });
  const twice = resent(sent.notification, again);
  expect(twice.attempts.map(({ number, isResend }) => [number, isResend])).toEqual([
    [1, false],
    [1, true],
  ]);
  expect(resent(twice, again)).toBe(twice);
});

it("the summary follows what is told", () => {
  const page = heard(loaded(opened("1"), aDetail()), {
    type: "summary",
    summary: aCall({ state: "terminated" }),
  });
  expect(page.detail?.summary.state).toBe("terminated");
});

it("samples are kept for a while, in order, each once", () => {
  const news = Array.from({ length: MAX_SAMPLES + 30 }, (_, at) => aSample(at, -at / 10));
  const page = [...news, aSample(3, 0)].reduce(heard, loaded(opened("1"), aDetail()));
  expect(page.samples).toHaveLength(MAX_SAMPLES);
  expect(levels(page.samples, "p1", ({ levelIn }) => levelIn).at(-1)).toBe(-14.9);
  expect(levels(page.samples, "p2", ({ levelIn }) => levelIn).at(-1)).toBeNull();
});

it("what changes the call as the API shows it is told from what does not", () => {
  expect([anEntry(1), anEntry(1, "operation"), anEntry(1, "tone")].map(outdates)).toEqual([
    true,
    true,
    false,
  ]);
  expect(outdates({ type: "summary", summary: aCall() })).toBe(true);
  expect(outdates(aSample(1, null))).toBe(false);
});

it("what is measured is graded, and what is not measured is not", () => {
  expect([0, 0.99, 1, 5, 100, null].map((loss) => grade("loss", loss))).toEqual([
    "good",
    "good",
    "fair",
    "poor",
    "poor",
    "unknown",
  ]);
  expect([null, -127, -60, -30, 0, 6].map(fill)).toEqual([0, 0, 0, 0.5, 1, 1]);
});
