import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { list, record } from "./json";
import { application, meeting, user } from "./lists";
import { bodyProblem, createdCall, EXAMPLES, type Known, written } from "./requests";

const CONTOSO = { id: "aa67bd4c", name: "Contoso" };
const FABRIKAM = { id: "86dc81db", name: "Fabrikam" };

const known: Known = {
  application: application({
    id: "2891555a",
    name: "Calling Bot",
    webhook: "https://bot.example/callback",
    instances: [
      { id: "other", tenant: FABRIKAM, numbers: ["+1"] },
      { id: "3d913abb", tenant: CONTOSO, numbers: ["+12345678900"] },
    ],
  }),
  tenant: CONTOSO.id,
  users: list(
    [
      { id: "fred", name: "Fred", tenant: FABRIKAM, pages: 1 },
      { id: "bob", name: "Bob", tenant: CONTOSO },
      { id: "user1", name: "user1", tenant: CONTOSO, hasScript: true },
      { id: "john", name: "John", tenant: CONTOSO, phones: [{ contact: "sip:john@192.0.2.1" }] },
    ],
    user,
  ),
  meetings: list(
    [
      { id: "1", tenant: FABRIKAM, threadId: "19:other", isLive: true },
      { id: "2", tenant: CONTOSO, threadId: "19:weekly", joinMeetingId: "2026111" },
      { id: "3", tenant: CONTOSO, threadId: "19:live", joinMeetingId: "3", isLive: true },
      { id: "4", tenant: CONTOSO, threadId: "19:p", joinMeetingId: "1234567", hasPasscode: true },
    ],
    meeting,
  ),
};
const nobody: Known = { application: undefined, tenant: "", users: [], meetings: [] };

/** The documented requests, with which the server's own tests are made. */
const DOCUMENTED = join(import.meta.dirname, "../../../crates/graph-wire/tests/requests");

it("there is one for each documented request, with the same members", () => {
  const names = readdirSync(DOCUMENTED).sort();
  expect(names).toHaveLength(EXAMPLES.length);
  for (const [at, name] of names.entries()) {
    // Some of the documented ones have a comma too many.
    const text = readFileSync(join(DOCUMENTED, name), "utf8").replace(/,(\s*[}\]])/g, "$1");
    const members = (value: object) => Object.keys(value).sort();
    const documented = record(JSON.parse(text));
    const body = record(EXAMPLES[at]?.body(known));
    expect([name, members(body)]).toEqual([name, members(documented)]);
    for (const member of ["mediaConfig", "meetingInfo", "chatInfo", "source", "callOptions"]) {
      expect(record(body[member])["@odata.type"]).toBe(record(documented[member])["@odata.type"]);
    }
    const targets = (value: unknown) => (Array.isArray(value) ? value.length : 0);
    expect(targets(body.targets)).toBe(targets(documented.targets));
  }
});

it("people of the tenant are called, who can be reached before who cannot", () => {
  const [one, , several] = EXAMPLES.map((example) => written(example, known));
  expect(one).toContain('"id": "john"');
  expect([several?.includes("john"), several?.includes("user1")]).toEqual([true, true]);
  expect(several).not.toMatch(/"fred"|"bob"/);
});

it("meetings of the tenant are joined, by thread, and by id with and without a passcode", () => {
  const bodies = EXAMPLES.map((example) => written(example, known));
  expect(bodies[4]).toContain('"threadId": "19:live"');
  expect(bodies[6]).toContain('"joinMeetingId": "1234567"');
  expect(bodies[7]).toContain('"joinMeetingId": "3"');
  expect(bodies[7]).toContain('"passcode": null');
});

it("numbers are called by the instance of the same tenant", () => {
  expect(EXAMPLES[8]?.body(known)).toMatchObject({
    callbackUri: "https://bot.example/callback",
    source: { identity: { applicationInstance: { id: "3d913abb" } } },
  });
});

it("where a server knows nobody, there is something to write over all the same", () => {
  for (const example of EXAMPLES) expect(bodyProblem(written(example, nobody))).toBe("");
});

it("bodies that are no JSON are not sent", () => {
  expect(bodyProblem("{}")).toBe("");
  expect(bodyProblem('{"a":')).toMatch(/^This is no JSON: /);
});

it("an answer tells of a call where there is one", () => {
  expect(createdCall(201, '{"id":"57da"}')).toBe("57da");
  expect(createdCall(201, "{}")).toBeUndefined();
  expect(createdCall(201, "<p>")).toBeUndefined();
  expect(createdCall(400, '{"id":"57da"}')).toBeUndefined();
});
