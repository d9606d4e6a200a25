import { expect, it } from "vitest";
import { aCall, BEGAN } from "./fixtures";
import {
  age,
  counted,
  exactTime,
  measured,
  pretty,
  prettyText,
  resultText,
  span,
  stateText,
  timeText,
  whoText,
} from "./wording";

it("states are words, and unknown ones are shown as they are", () => {
  const states = ["established", "transferAccepted", "terminated", "later"];
  expect(states.map((state) => stateText({ state, held: false }))).toEqual([
    "Established",
    "Transfer accepted",
    "Ended",
    "later",
  ]);
  expect(stateText({ state: "established", held: true })).toBe("Established, on hold");
  expect(stateText({ state: "terminated", held: true })).toBe("Ended");
});

it("calls are named by whom they are with, or by what they are", () => {
  expect(whoText(aCall())).toBe("John");
  expect(whoText(aCall({ who: "", kind: "group" }))).toBe("Group call");
  expect(whoText(aCall({ who: "", kind: "" }))).toBe("Somebody");
});

it("results have both codes", () => {
  expect(resultText({ code: 486, subcode: 10003, message: "Busy" })).toBe("486 / 10003: Busy");
  expect(resultText({ code: 0, subcode: 7015, message: "" })).toBe("0 / 7015");
});

it("times are of today unless they say otherwise", () => {
  const now = new Date(2026, 10, 27, 12, 0, 0).getTime();
  expect(timeText(now - 61_000, now)).toMatch(/^11:58:59/);
  expect(timeText(now - 86_400_000, now)).toMatch(/26.*12:00:00/);
  expect(timeText(now - 86_400_000, now)).not.toContain("2026");
  expect(timeText(new Date(2126, 0, 5).getTime(), now)).toContain("2126");
  expect(exactTime(new Date(2026, 10, 27, 1, 2, 3, 45).getTime())).toBe("01:02:03.045");
});

it("calls age until they end", () => {
  expect(age(aCall(), BEGAN + 5000)).toBe(5000);
  expect(age(aCall({ ended: "2026-11-27T02:40:02Z" }), BEGAN + 5000)).toBe(2000);
  expect(age(aCall(), BEGAN - 1)).toBe(0);
});

it("spans are short", () => {
  expect([0, 59, 60, 3661, 90_000, 200_000].map(span)).toEqual([
    "0 s",
    "59 s",
    "1 min",
    "1 h 1 min",
    "1 d 1 h",
    "2 d 7 h",
  ]);
});

it("numbers have their units, and none where they are unknown", () => {
  expect([counted(1, "call"), counted(0, "call"), counted(2, "entry", "entries")]).toEqual([
    "1 call",
    "0 calls",
    "2 entries",
  ]);
  expect([measured(null, "ms"), measured(-24.52, "dB", 1), measured(0, "%", 1)]).toEqual([
    "–",
    "−24.5 dB",
    "0.0 %",
  ]);
});

it("JSON is laid out, and other texts stay as they are", () => {
  expect(prettyText('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(prettyText("<b>no JSON")).toBe("<b>no JSON");
  expect(pretty("<script>\n")).toBe('"<script>\\n"');
  expect(pretty(undefined)).toBe("");
});
