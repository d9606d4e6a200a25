import { describe, expect, it } from "vitest";
import type { Participant } from "./protocol";
import { listed, mayManage, news } from "./roster";

function person(id: string, more: Partial<Participant> = {}): Participant {
  return {
    id,
    name: id,
    kind: "user",
    role: "attendee",
    isMuted: false,
    isInLobby: false,
    hand: null,
    camera: false,
    screen: false,
    ...more,
  };
}

const me = person("me");
const ann = person("Ann");
const bob = person("Bob");
const inLobby = person("Ann", { isInLobby: true });

describe("what changed in a roster is told", () => {
  it.each([
    ["whoever comes in", [me], [me, ann], "Ann came in."],
    ["whoever knocks", [me], [me, inLobby], "Ann waits in the lobby."],
    ["whoever is let in", [me, inLobby], [me, ann], "Ann came in."],
    ["whoever leaves", [me, ann, bob], [me, bob], "Ann left."],
    ["hands", [me, ann], [me, person("Ann", { hand: 1 })], "Ann raised a hand."],
    ["screens", [me, ann], [me, person("Ann", { screen: true })], "Ann shares the screen."],
    [
      "the end of a screen",
      [me, person("Ann", { screen: true })],
      [me, ann],
      "Ann no longer shares the screen.",
    ],
    [
      "a screen that goes to another, once",
      [me, bob, person("Ann", { screen: true })],
      [me, person("Bob", { screen: true }), ann],
      "Bob shares the screen.",
    ],
    ["several together", [me], [me, bob, ann], "Bob and Ann came in."],
    ["three", [me], [me, bob, ann, person("Eve")], "Bob, Ann and Eve came in."],
    [
      "many by their number",
      [me],
      [me, ..."abcd"].map((one) => (one === me ? me : person(String(one)))),
      "4 people came in.",
    ],
    ["somebody without a name", [me], [me, person("x", { name: "" })], "Somebody came in."],
  ])("%s", (_what, before, after, text) => {
    expect(news(before, after, "me")).toBe(text);
  });

  it("but not the first roster, nor oneself, nor whoever gave up waiting", () => {
    expect(news([], [me, ann], "me")).toBe("");
    const raised = person("me", { hand: 3, screen: true });
    expect(news([me, ann], [raised, ann], "me")).toBe("");
    expect(news([me, inLobby], [me], "me")).toBe("");
  });
});

it("people are listed by raised hands, then oneself, then by name", () => {
  const people = [
    person("Zoe"),
    person("late", { hand: 9 }),
    me,
    ann,
    person("early", { hand: 2 }),
    person("x", { isInLobby: true }),
  ];
  const ids = listed(people, "me").map(({ id }) => id);
  expect(ids).toEqual(["early", "late", "me", "Ann", "Zoe"]);
});

it("who organizes or presents has the say", () => {
  const roles = ["organizer", "coorganizer", "presenter", "attendee", null] as const;
  const say = roles.map((role) => mayManage(person("x", { role })));
  expect(say).toEqual([true, true, true, false, false]);
  expect(mayManage(undefined)).toBe(false);
});
