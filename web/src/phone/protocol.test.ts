import { describe, expect, it } from "vitest";
import { parse } from "./protocol";

const frame = (value: unknown) => parse(JSON.stringify(value));

describe("frames of the server", () => {
  it("tell who is signed in and which calls are left", () => {
    const peer = { name: "Alice", address: "sip:alice@contoso.example" };
    const call = { call: "s1", direction: "incoming", state: "connected", peer, held: false };
    const user = { id: "7", name: "John", address: "sip:john@contoso.example" };
    const calls = [{ ...call, since: "2026-11-27T00:00:00Z" }, { call: "s2" }, null];
    expect(frame({ type: "welcome", user, calls })).toEqual({
      type: "welcome",
      user,
      calls: [{ ...call, since: Date.UTC(2026, 10, 27) }],
    });
  });

  it("name callers with text, whatever is in it", () => {
    const from = { name: "<img src=x onerror=alert(1)>", address: 7 };
    expect(frame({ type: "incoming", call: "s1", from })).toEqual({
      type: "incoming",
      call: "s1",
      from: { name: "<img src=x onerror=alert(1)>", address: "" },
      subject: null,
    });
  });

  it("end a call also for a reason of a later version", () => {
    const ended = { type: "ended", call: "c1", reason: "somethingNew" };
    expect(frame(ended)).toEqual({ type: "ended", call: "c1", reason: "failed" });
  });

  it.each([
    "",
    "{",
    "[]",
    "null",
    '"welcome"',
    '{"type":"welcome"}',
    '{"type":"welcome","user":{"id":"1"},"calls":7}',
    '{"type":"answer","call":"c1"}',
    '{"type":"answer","sdp":"v=0"}',
    '{"type":"ringing","call":""}',
    '{"type":"transfer","call":"c1","status":"?"}',
    '{"type":"later","call":"c1"}',
  ])("that make no sense are passed over: %s", (text) => {
    expect(parse(text)).toBeUndefined();
  });

  it("that are not text are passed over", () => {
    expect(parse(new Uint8Array(4))).toBeUndefined();
  });
});
