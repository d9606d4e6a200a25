import { expect, it } from "vitest";
import { list } from "./json";
import { application, meeting, overview, trunk, user } from "./lists";
import { callDetail, mediaSample, notification, sipMessage, summary } from "./protocol";

/** What no server should send, and a page must bear all the same. */
const STRANGE = [{}, { id: 7 }, { id: "" }, { id: null }, { sequence: "1" }, { at: "yesterday" }];

it("what is not understood is left out of lists", () => {
  for (const value of [null, "x", {}, 3]) expect(list(value, summary)).toEqual([]);
  expect(list([null, "x", ["y"], ...STRANGE, { id: "1" }], summary)).toHaveLength(1);
  for (const strange of STRANGE) {
    expect(sipMessage(strange)).toBeUndefined();
    expect(notification(strange)).toBeUndefined();
    expect(mediaSample(strange)).toBeUndefined();
    expect(callDetail({ summary: strange })).toBeUndefined();
  }
});

it("what a call lacks is nothing, and what has another type, too", () => {
  expect(summary({ id: "1", who: 7, held: "yes", since: "x", result: [] })).toMatchObject({
    who: "",
    held: false,
    since: 0,
    answered: null,
    result: null,
    app: { id: "", name: "" },
  });
  expect(callDetail({ summary: { id: "1" }, timeline: {}, media: "loud" })).toMatchObject({
    timeline: [],
    notifications: [],
    media: null,
    isRemembered: true,
  });
});

it("names that are missing are ids", () => {
  expect(summary({ id: "1", app: { id: "2891555a" } })?.app.name).toBe("2891555a");
  expect(application({ id: "a" })).toMatchObject({ name: "a", isCallingEnabled: true });
  expect(user({ id: "u" })).toMatchObject({ name: "u", phones: [], isAdministrator: false });
});

it("numbers that are not known are told from nought", () => {
  const sample = mediaSample({
    at: "2026-11-27T02:40:00Z",
    participants: [{ id: "p", lossIn: 0, jitterInMs: null, roundTripMs: "fast" }],
  });
  expect(sample?.participants[0]).toMatchObject({ lossIn: 0, jitterInMs: null, roundTripMs: null });
  expect(trunk({ id: "t", maxCalls: 0 })).toMatchObject({ maxCalls: 0, callsPerSecond: null });
  expect(meeting({ id: "m" })).toMatchObject({ startsAt: null, participants: 0 });
});

it("counts of a later version are taken as they come", () => {
  const found = overview({ version: "1", counts: { calls: 2, dogs: 3, cats: "many" } });
  expect(found.counts).toEqual({ calls: 2, dogs: 3 });
});

it("a meeting leads to a page, but to no script", () => {
  const address = (joinWebUrl: unknown) => meeting({ id: "m", joinWebUrl })?.joinWebUrl;
  expect(address("https://calls.contoso.example/l/meetup-join/19%3am/0")).toMatch(/^https:/);
  for (const other of ["javascript:alert(1)", "data:text/html,x", "/l/meetup-join", 7, undefined]) {
    expect(address(other)).toBeNull();
  }
});
