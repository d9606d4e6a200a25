import { describe, expect, it } from "vitest";
import type { FromServer, Participant, ToServer } from "./protocol";
import { BEFORE, type Effect, type Input, step, type Visit } from "./visit";

/** A page whose effects are noted. */
class Page {
  visit: Visit = BEFORE;
  effects: Effect[] = [];

  feed(...inputs: Input[]): this {
    for (const input of inputs) {
      const [visit, effects] = step(this.visit, input);
      this.visit = visit;
      this.effects.push(...effects);
    }
    return this;
  }

  hear(...messages: FromServer[]): this {
    return this.feed(...messages.map((message) => ({ type: "server", message }) as const));
  }

  forget(): this {
    this.effects = [];
    return this;
  }

  get sent(): ToServer[] {
    return this.effects.flatMap((effect) => (effect.type === "send" ? [effect.message] : []));
  }

  get done(): string[] {
    return this.effects.map((effect) => effect.type);
  }

  get said(): string[] {
    return this.effects.flatMap((effect) =>
      effect.type === "say" || effect.type === "warn" ? [effect.text] : [],
    );
  }

  /** In the meeting as `me`, with whatever that took forgotten. */
  in(entry: { muted?: boolean; camera?: boolean } = {}): this {
    const join = { type: "join", name: "Ann", muted: false, camera: false, ...entry } as const;
    this.feed(join).hear(OUTSIDE, { type: "answer", sdp: "a" }, IN, roster(person("me", entry)));
    return this.feed({ type: "soundBack" }).forget();
  }
}

const OUTSIDE = { type: "welcome", state: "outside", you: null } as const;
const IN = { type: "state", state: "in", you: "me" } as const;
const BACK = { type: "welcome", state: "in", you: "me" } as const;
const ASIDE = { type: "state", state: "held", you: "me" } as const;
const BACK_ASIDE = { type: "welcome", state: "held", you: "me" } as const;
const JOIN = { type: "join", name: "Ann", muted: false, camera: false } as const;

function person(
  id: string,
  { muted = false, ...more }: Partial<Participant> & { muted?: boolean } = {},
): Participant {
  return {
    id,
    name: id,
    kind: "guest",
    role: "attendee",
    isMuted: muted,
    isInLobby: false,
    hand: null,
    camera: false,
    screen: false,
    ...more,
  };
}

function roster(...people: Participant[]): FromServer {
  return { type: "roster", people };
}

describe("coming in", () => {
  it("opens a socket, offers sound once it is welcomed, and asks by name", () => {
    const page = new Page().feed(JOIN);
    expect(page.done).toEqual(["open"]);
    page.forget().hear(OUTSIDE);
    expect(page.effects).toEqual([{ type: "offer", purpose: "join", how: "restart" }]);
    page.forget().feed({ type: "offered", purpose: "join", sdp: "o" });
    expect(page.sent).toEqual([{ type: "join", name: "Ann", sdp: "o" }]);
    page.forget().hear({ type: "answer", sdp: "a" });
    expect(page.effects).toEqual([{ type: "answer", sdp: "a" }]);
  });

  it("leads through the lobby, where nothing is shown and nobody is muted", () => {
    const page = new Page()
      .feed({ ...JOIN, muted: true, camera: true })
      .hear(OUTSIDE)
      .forget();
    const waiting = person("me", { isInLobby: true });
    page.hear({ type: "state", state: "lobby", you: "me" }, roster(waiting));
    expect(page.visit).toMatchObject({ stage: "lobby", muted: true });
    expect(page.sent).toEqual([]);
    page.hear(IN);
    expect(page.sent).toEqual([
      { type: "mute", muted: true },
      { type: "camera", on: true },
    ]);
    expect(page.done).toContain("offerPictures");
  });

  it("is asked again on a new socket, as long as there was no answer", () => {
    const page = new Page().feed(JOIN).hear(OUTSIDE).forget().hear(OUTSIDE);
    expect(page.done).toEqual(["offer"]);
  });

  it("goes on where the server had let one in before the socket was lost", () => {
    const page = new Page()
      .feed({ ...JOIN, muted: true })
      .hear(OUTSIDE)
      .forget()
      .hear(BACK);
    expect(page.visit).toMatchObject({ stage: "in", you: "me" });
    expect(page.done).toEqual(["offer", "offerPictures", "send", "send", "send"]);
    expect(page.sent).toContainEqual({ type: "mute", muted: true });
  });

  it("that is refused leads back to the door, and says why", () => {
    const page = new Page().feed(JOIN).hear(OUTSIDE).forget();
    page.hear({ type: "refused", of: "join", message: "locked" });
    expect(page.visit.stage).toBe("before");
    expect(page.done).toEqual(["close", "shut", "warn"]);
    expect(page.said).toEqual(["You cannot come in. The server says: “locked”."]);
  });

  it("can be given up, and leaves nothing behind", () => {
    const page = new Page().feed(JOIN).hear(OUTSIDE).forget().feed({ type: "leave" });
    expect(page.visit.stage).toBe("before");
    expect(page.done).toEqual(["send", "close", "shut"]);
  });

  it("fails where the browser makes no offer", () => {
    const page = new Page().feed(JOIN).hear(OUTSIDE).feed({ type: "soundFailed" });
    expect(page.visit.stage).toBe("before");
  });
});

describe("being muted", () => {
  it("works at once, and is told to the server", () => {
    const page = new Page().in().feed({ type: "mute", muted: true });
    expect(page.effects.slice(0, 1)).toEqual([{ type: "microphone", on: false }]);
    expect(page.sent).toEqual([{ type: "mute", muted: true }]);
  });

  it("is not taken back by a roster from before", () => {
    const page = new Page().in().feed({ type: "mute", muted: true }).forget();
    page.hear(roster(person("me", { muted: false })));
    expect(page.visit.muted).toBe(true);
    page.hear(roster(person("me", { muted: true })), roster(person("me", { muted: false })));
    expect(page.visit.muted).toBe(false);
  });

  it("by others shuts the microphone and says so", () => {
    const page = new Page().in().hear(roster(person("me", { muted: true })));
    expect(page.visit.muted).toBe(true);
    expect(page.effects).toContainEqual({ type: "microphone", on: false });
    expect(page.said.at(-1)).toMatch(/You were muted/);
    page.forget().feed({ type: "mute", muted: false });
    expect(page.sent).toEqual([{ type: "mute", muted: false }]);
  });

  it("stays where one may not unmute oneself", () => {
    const page = new Page().in().hear(roster(person("me", { muted: true })));
    page.feed({ type: "mute", muted: false }).forget().hear({ type: "denied", message: "no" });
    expect(page.visit.muted).toBe(true);
    expect(page.effects).toContainEqual({ type: "microphone", on: false });
  });

  it("is as the server knows it where that was asked too much", () => {
    const page = new Page().in().hear(roster(person("me", { muted: true })));
    const asked = page.feed({ type: "mute", muted: false }).forget();
    asked.hear({ type: "error", message: "too much is asked at once; try again in a moment" });
    expect(page.visit).toMatchObject({ muted: true, muteAsked: false });
    expect(page.effects).toContainEqual({ type: "microphone", on: false });
    expect(page.said.at(-1)).toMatch(/try again in a moment/);
    expect(new Page().hear({ type: "error", message: "what?" }).done).toEqual(["warn"]);
  });

  it("is never undone by a refusal of something else", () => {
    const page = new Page().in().feed({ type: "mute", muted: true }).forget();
    page.hear({ type: "denied", message: "no" });
    expect(page.visit.muted).toBe(true);
    expect(page.done).toEqual(["warn"]);
  });
});

describe("a screen", () => {
  it("is stopped once somebody else takes it, and not before the server knew of it", () => {
    const page = new Page().in().feed({ type: "screen", on: true });
    expect(page.sent).toEqual([{ type: "screen", on: true }]);
    page.forget().hear(roster(person("me")));
    expect(page.visit.screen).toBe("asked");
    page.hear(roster(person("me", { screen: true })));
    expect(page.visit.screen).toBe("on");
    page.hear(roster(person("me"), person("Bob", { screen: true })));
    expect(page.visit.screen).toBe("off");
    expect(page.done).toContain("stopScreen");
    expect(page.said.at(-1)).toMatch(/^Bob shares now/);
  });

  it("that one may not share is stopped", () => {
    const page = new Page().in().feed({ type: "screen", on: true }).forget();
    page.hear({ type: "denied", message: "no" });
    expect(page.done).toEqual(["warn", "stopScreen"]);
    expect(page.visit.screen).toBe("off");
  });
});

describe("after a lost socket", () => {
  it("sound, pictures and the camera come back, and what was pressed meanwhile counts", () => {
    const page = new Page().in({ camera: true }).feed({ type: "mute", muted: true }).forget();
    page.hear(BACK);
    expect(page.effects.slice(0, 2)).toEqual([
      { type: "offer", purpose: "offer", how: "restart" },
      { type: "offerPictures", how: "restart" },
    ]);
    expect(page.sent).toEqual([
      { type: "camera", on: true },
      { type: "mute", muted: true },
      { type: "screen", on: false },
    ]);
    expect(page.visit.mending).toBe(true);
  });

  it("one that is aside stays so until the server says otherwise", () => {
    const page = new Page().in().hear(ASIDE).forget().hear(BACK_ASIDE);
    expect(page.visit).toMatchObject({ stage: "held", mending: true });
    expect(page.done).toEqual(["offer", "offerPictures", "send", "send"]);
    page.hear(IN);
    expect(page.visit.stage).toBe("in");
  });

  it("one that was taken aside meanwhile, or is back, is told so", () => {
    const page = new Page().in().forget().hear(BACK_ASIDE);
    expect(page.visit.stage).toBe("held");
    expect(page.said).toEqual(["You were taken aside for a while"]);
    page.forget().hear(BACK);
    expect(page.visit.stage).toBe("in");
    expect(page.said).toEqual(["You are in the meeting"]);
  });

  it("a place that is gone is an end, from which one can join again", () => {
    const page = new Page().in({ muted: true }).hear(OUTSIDE);
    expect(page.visit).toMatchObject({ stage: "ended", ending: "mediaLost", name: "Ann" });
    expect(page.done.slice(0, 2)).toEqual(["close", "shut"]);
    page.forget().feed({ ...JOIN, name: page.visit.name });
    expect(page.visit.stage).toBe("joining");
    expect(page.done).toEqual(["open"]);
  });
});

describe("a page that is loaded anew", () => {
  const RETURN = { ...JOIN, type: "return", camera: true } as const;

  it("comes back to its place, without the screen that it has lost", () => {
    const page = new Page().feed(RETURN).forget().hear(BACK);
    expect(page.visit).toMatchObject({ stage: "in", you: "me", camera: true });
    expect(page.sent).toEqual([
      { type: "camera", on: true },
      { type: "screen", on: false },
    ]);
  });

  it("comes back aside where it was taken aside", () => {
    const page = new Page().feed(RETURN).forget().hear(BACK_ASIDE);
    expect(page.visit).toMatchObject({ stage: "held", you: "me" });
    page.forget().hear(IN);
    expect(page.visit.stage).toBe("in");
    expect(page.said).toEqual(["You are in the meeting"]);
  });

  it("is muted where others muted it meanwhile", () => {
    const page = new Page().feed(RETURN).hear(BACK, roster(person("me", { muted: true })));
    expect(page.visit.muted).toBe(true);
  });

  it("stands before the door where its place is gone", () => {
    const page = new Page().feed(RETURN).forget().hear(OUTSIDE);
    expect(page.visit.stage).toBe("before");
    expect(page.done).toEqual(["close", "shut"]);
  });
});

describe("sound that is lost", () => {
  it("asks for one new offer, however often it is told", () => {
    const page = new Page().in().feed({ type: "soundLost" }, { type: "soundLost" });
    expect(page.effects.filter(({ type }) => type === "offer")).toHaveLength(1);
    page.forget().feed({ type: "offered", purpose: "offer", sdp: "o" });
    expect(page.sent).toEqual([{ type: "offer", sdp: "o" }]);
    page.feed({ type: "soundBack" });
    expect(page.visit.mending).toBe(false);
  });

  it("is tried on another connection once, and then given up", () => {
    const page = new Page().in().feed({ type: "soundLost" }).forget();
    const refused = { type: "refused", of: "offer", message: "no" } as const;
    page.hear(refused);
    expect(page.effects).toEqual([{ type: "offer", purpose: "offer", how: "fresh" }]);
    page.hear(refused);
    expect(page.sent).toEqual([{ type: "leave" }]);
    expect(page.visit).toMatchObject({ stage: "ended", ending: "mediaLost" });
  });
});

describe("pictures", () => {
  it("that are refused are tried on another connection once, and the sound goes on", () => {
    const page = new Page().in();
    const refused = { type: "refused", of: "pictures", message: "" } as const;
    page.hear(refused);
    expect(page.effects).toEqual([{ type: "offerPictures", how: "fresh" }]);
    page.forget().hear(refused);
    expect(page.done).toEqual(["warn"]);
    expect(page.visit.stage).toBe("in");
  });

  it("that are lost are offered again", () => {
    const page = new Page().in().feed({ type: "picturesLost" });
    expect(page.effects).toEqual([{ type: "offerPictures", how: "restart" }]);
    page.forget().feed({ type: "picturesOffered", sdp: "p" });
    expect(page.sent).toEqual([{ type: "pictures", sdp: "p" }]);
  });
});

it("who spoke is remembered, the latest first, and forgotten who left", () => {
  const page = new Page().in().hear(roster(person("me"), person("a"), person("b")));
  const speaks = (participant: string | null) => ({ type: "speaker", participant }) as const;
  page.hear(speaks("a"), speaks("b"), speaks("a"), speaks(null));
  expect(page.visit).toMatchObject({ speaker: null, spoke: ["a", "b"] });
  page.hear(roster(person("me"), person("b")));
  expect(page.visit.spoke).toEqual(["b"]);
});

it("what is asked for others goes to the server, and only from within", () => {
  const asked: Input[] = [
    { type: "admit", participant: null },
    { type: "admit", participant: "x" },
    { type: "remove", participant: "x" },
    { type: "muteOther", participant: "x" },
    { type: "hand", raised: true },
  ];
  expect(new Page().in().feed(...asked).sent).toEqual([
    { type: "admit" },
    { type: "admit", participant: "x" },
    { type: "remove", participant: "x" },
    { type: "muteOther", participant: "x" },
    { type: "hand", raised: true },
  ]);
  expect(new Page().feed(...asked).effects).toEqual([]);
});

it("leaving works at once, and closes everything", () => {
  const page = new Page().in().feed({ type: "leave" });
  expect(page.visit).toMatchObject({ stage: "ended", ending: "left", people: [] });
  expect(page.done).toEqual(["send", "close", "shut", "say"]);
  const before = page.visit;
  page.hear({ type: "ended", reason: "over" }, IN).feed({ type: "leave" });
  expect(page.visit).toEqual(before);
});

it("from the end one gets back to the door, and from nowhere else", () => {
  expect(new Page().in().feed({ type: "stepBack" }).visit.stage).toBe("in");
  const page = new Page().in().feed({ type: "leave" }, { type: "stepBack" });
  expect(page.visit).toMatchObject({ stage: "before", name: "Ann" });
});
