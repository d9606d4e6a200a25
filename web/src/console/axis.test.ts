import { expect, it } from "vitest";
import { offset, ticks } from "./axis";

it("ticks are at round times, as many as there is room for", () => {
  expect(ticks(10_000, 500, 100).map(({ label }) => label)).toEqual([
    "0 s",
    "2 s",
    "4 s",
    "6 s",
    "8 s",
    "10 s",
  ]);
  expect(ticks(900, 500, 100).map(({ at }) => at)).toEqual([0, 200, 400, 600, 800]);
  expect(ticks(7_200_000, 300, 100).map(({ label }) => label)).toEqual([
    "0 s",
    "1:00:00",
    "2:00:00",
  ]);
});

it("no length and no width makes more ticks than can be drawn", () => {
  for (const length of [0, 1, 59_999, 1e9, 1e15]) {
    for (const width of [0, 1, 300, 1e6]) {
      const found = ticks(length, width, 80);
      expect(found.length).toBeGreaterThan(0);
      expect(found.length).toBeLessThan(402);
      expect(found.every(({ at }) => at <= length)).toBe(true);
    }
  }
  expect(ticks(Number.NaN, 300, 80)).toHaveLength(1);
});

it("times since the beginning are as exact as their steps", () => {
  expect(offset(350)).toBe("350 ms");
  expect(offset(2500, 500)).toBe("2.5 s");
  expect(offset(2512)).toBe("2.512 s");
  expect(offset(59_999, 1000)).toBe("59 s");
  expect(offset(65_000, 5000)).toBe("1:05");
  expect(offset(3_661_000, 1000)).toBe("1:01:01");
  expect(offset(61_250, 100)).toBe("1:01.2");
  expect(offset(-20)).toBe("−20 ms");
});
