import { describe, expect, it } from "vitest";
import { read } from "./invitation";
import { END_REASONS, parse } from "./protocol";
import { aboutText, countText, endedText, subjectText, timeText } from "./wording";

const frame = (value: unknown) => parse(JSON.stringify(value));

const ANN = {
  id: "7",
  name: "<b>Ann</b>",
  kind: "guest",
  role: "attendee",
  isMuted: true,
  isInLobby: false,
  hand: 3,
  camera: true,
  screen: false,
} as const;

describe("frames of the server", () => {
  it("tell who is there, with names that are text", () => {
    expect(frame({ type: "roster", people: [ANN, null, { name: "nobody" }] })).toEqual({
      type: "roster",
      people: [ANN],
    });
  });

  it("may lack what a later version leaves out or names otherwise", () => {
    const people = [{ id: "8", kind: "robot", role: "king" }];
    expect(frame({ type: "roster", people })).toEqual({
      type: "roster",
      people: [
        {
          id: "8",
          name: "",
          kind: "user",
          role: null,
          isMuted: false,
          isInLobby: false,
          hand: null,
          camera: false,
          screen: false,
        },
      ],
    });
  });

  it.each([
    { type: "welcome", state: "outside", you: null },
    { type: "welcome", state: "in", you: "7" },
    { type: "welcome", state: "held", you: "7" },
    { type: "answer", sdp: "v=0" },
    { type: "pictures", sdp: "v=0" },
    { type: "refused", of: "pictures", message: "no" },
    { type: "state", state: "held", you: "7" },
    { type: "speaker", participant: null },
    { type: "denied", message: "no" },
    { type: "error", message: "what?" },
    { type: "ended", reason: "notAdmitted" },
  ])("are read: $type", (message) => {
    expect(frame(message)).toEqual(message);
  });

  it("end a visit also for a reason of a later version", () => {
    expect(frame({ type: "ended", reason: "?" })).toEqual({ type: "ended", reason: "failed" });
  });

  it.each([
    "",
    "[]",
    '{"type":"welcome"}',
    '{"type":"welcome","state":"?"}',
    '{"type":"answer"}',
    '{"type":"refused","of":"?"}',
    '{"type":"state","state":"in"}',
    '{"type":"state","state":"?","you":"7"}',
    '{"type":"roster"}',
    '{"type":"later"}',
  ])("that make no sense are passed over: %s", (text) => {
    expect(parse(text)).toBeUndefined();
  });
});

describe("what is told of a meeting", () => {
  const meeting = {
    subject: " ",
    organizer: "John",
    startsAt: "2026-11-27T14:00:00Z",
    endsAt: "2026-11-27T15:00:00Z",
  };

  it("is read and said in words", () => {
    const found = read({ meeting, user: null, guests: true });
    expect(found).toMatchObject({ organizer: "John", user: null, guests: true });
    expect(found && subjectText(found)).toBe("Meeting");
    expect(found && timeText(found, "en-GB", "UTC")).toMatch(/^Fri,? 27 Nov.*14:00.*15:00$/);
  });

  it("may be next to nothing", () => {
    const found = read({ meeting: {} });
    expect(found).toMatchObject({ subject: null, guests: false });
    expect(found && timeText(found)).toBe("");
    expect(read({})).toBeUndefined();
    expect(read(null)).toBeUndefined();
  });
});

it("every end is a sentence", () => {
  for (const reason of END_REASONS) expect(endedText(reason)).toMatch(/^[A-Z].*\.$/);
});

it("people are described by what they are", () => {
  expect(aboutText(ANN)).toBe("Guest · Attendee");
  expect(aboutText({ ...ANN, kind: "phone" })).toBe("By telephone");
  expect(aboutText({ ...ANN, kind: "user", role: "organizer" })).toBe("Organizer");
  expect([countText(1), countText(12)]).toEqual(["1 person", "12 people"]);
});
