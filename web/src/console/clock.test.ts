import { expect, it } from "vitest";
import { Clock } from "./clock";

const NOON = Date.parse("2026-11-27T12:00:00Z");

it("it goes as the server's answers say, unless that is as good as here", () => {
  const clock = new Clock();
  expect(clock.now(NOON)).toBe(NOON);
  clock.hear("Fri, 27 Nov 2026 12:05:00 GMT", NOON);
  expect(clock.now(NOON + 1000)).toBe(NOON + 301_000);
  clock.hear(null, NOON);
  clock.hear("some day", NOON);
  expect(clock.now(NOON)).toBe(NOON + 300_000);
  clock.hear("Fri, 27 Nov 2026 11:59:59 GMT", NOON);
  expect(clock.now(NOON)).toBe(NOON);
});
