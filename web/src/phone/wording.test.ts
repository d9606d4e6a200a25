import { expect, it } from "vitest";
import { END_REASONS } from "./protocol";
import { duration, endedText, isWorthTelling } from "./wording";

it("durations are minutes and seconds, and hours where there are some", () => {
  expect([0, 999, 61_000, 3_599_000, 3_600_000, 36_061_000, -5].map(duration)).toEqual([
    "00:00",
    "00:00",
    "01:01",
    "59:59",
    "1:00:00",
    "10:01:01",
    "00:00",
  ]);
});

it("every reason of an end is a sentence that names whom it was with", () => {
  const peer = { name: "Alice", address: "sip:alice@contoso.example" };
  for (const reason of END_REASONS) {
    expect(endedText({ peer, reason, direction: "outgoing" })).toMatch(/^Alice: .*\.$/);
  }
});

it("what the user did himself needs no message", () => {
  const over = {
    id: "c1",
    peer: { name: "", address: "" },
    wasAnswered: false,
    at: 0,
    length: 0,
  };
  expect(isWorthTelling({ ...over, direction: "incoming", reason: "declined" })).toBe(false);
  expect(isWorthTelling({ ...over, direction: "outgoing", reason: "declined" })).toBe(true);
  expect(isWorthTelling({ ...over, direction: "outgoing", reason: "hungUp" })).toBe(false);
});
