import { describe, expect, it } from "vitest";
import { type Effect, IDLE, type Input, isTarget, type Line, shown, step, target } from "./line";
import type { FromServer, ListedCall, ToServer } from "./protocol";

const ALICE = { name: "Alice", address: "sip:alice@contoso.example" };
const BOB = { name: "Bob", address: "sip:bob@contoso.example" };

/** A line with what came out of it. */
class Phone {
  line: Line = IDLE;
  effects: Effect[] = [];
  now = 1000;

  feed(...inputs: Input[]): this {
    for (const input of inputs) {
      const [line, effects] = step(this.line, input, this.now);
      this.line = line;
      this.effects.push(...effects);
    }
    return this;
  }

  hear(...messages: FromServer[]): this {
    return this.feed(...messages.map((message) => ({ type: "server", message }) as const));
  }

  /** In a call with Alice that she began. */
  talking(): this {
    this.hear({ type: "incoming", call: "s1", from: ALICE, subject: null });
    this.feed({ type: "accept", call: "s1" }, offered("s1", "accept"));
    this.hear({ type: "answer", call: "s1", sdp: "answer" });
    return this.forget();
  }

  ringing(call: string, from = BOB): this {
    return this.hear({ type: "incoming", call, from, subject: null });
  }

  forget(): this {
    this.effects = [];
    return this;
  }

  get sent(): ToServer[] {
    return this.effects.flatMap((effect) => (effect.type === "send" ? [effect.message] : []));
  }

  get warned(): string[] {
    return this.effects.flatMap((effect) => (effect.type === "warn" ? [effect.text] : []));
  }

  get states(): string[] {
    return this.line.calls.map((call) => `${call.id} ${call.state}${call.held ? " held" : ""}`);
  }

  has(...wanted: Effect[]): void {
    for (const effect of wanted) expect(this.effects).toContainEqual(effect);
  }
}

function offered(call: string, purpose: "call" | "accept" | "offer"): Input {
  return { type: "offered", call, purpose, sdp: "offer" };
}

function welcome(...calls: Partial<ListedCall>[]): FromServer {
  const usual = {
    call: "s1",
    direction: "incoming",
    state: "connected",
    peer: ALICE,
    held: false,
    since: 500,
  } as const;
  const user = { id: "1", name: "John", address: "sip:john@contoso.example" };
  return { type: "welcome", user, calls: calls.map((call) => ({ ...usual, ...call })) };
}

describe("a call that goes out", () => {
  it("is offered, rings, and is connected by its answer", () => {
    const phone = new Phone().feed({ type: "dial", call: "c1", to: "alice" });
    phone.has({ type: "offer", call: "c1", purpose: "call", restart: false });
    phone.feed(offered("c1", "call"));
    expect(phone.sent).toEqual([{ type: "call", call: "c1", to: "alice", sdp: "offer" }]);
    phone.hear({ type: "ringing", call: "c1", peer: ALICE });
    expect(phone.states).toEqual(["c1 ringing"]);
    expect(shown(phone.line)?.peer).toEqual(ALICE);
    phone.hear({ type: "answer", call: "c1", sdp: "answer" });
    expect(phone.states).toEqual(["c1 connected"]);
    expect(shown(phone.line)?.since).toBe(1000);
    phone.has({ type: "answer", call: "c1", sdp: "answer" });
  });

  it("ends without a microphone, and nothing was sent", () => {
    const phone = new Phone().feed({ type: "dial", call: "c1", to: "alice" });
    phone.feed({ type: "mediaFailed", call: "c1" });
    expect(phone.states).toEqual([]);
    expect(phone.sent).toEqual([]);
  });

  it("is noted with the reason when nobody takes it", () => {
    const phone = new Phone().feed({ type: "dial", call: "c1", to: "alice" });
    phone.hear({ type: "ended", call: "c1", reason: "busy" });
    expect(phone.line.recent).toMatchObject([{ id: "c1", reason: "busy", wasAnswered: false }]);
    phone.has({ type: "close", call: "c1" });
  });

  it("takes no notice of an answer after it was hung up", () => {
    const phone = new Phone().feed({ type: "dial", call: "c1", to: "alice" });
    phone.feed(offered("c1", "call"), { type: "hangUp", call: "c1" }).forget();
    expect(phone.hear({ type: "answer", call: "c1", sdp: "answer" }).effects).toEqual([]);
  });
});

describe("a call that comes in", () => {
  it("rings, and is taken with an offer of the page", () => {
    const phone = new Phone().ringing("s1", ALICE).feed({ type: "accept", call: "s1" });
    phone.has({ type: "offer", call: "s1", purpose: "accept", restart: false });
    phone.feed(offered("s1", "accept"));
    expect(phone.sent).toEqual([{ type: "accept", call: "s1", sdp: "offer" }]);
    expect(phone.hear({ type: "answer", call: "s1", sdp: "a" }).states).toEqual(["s1 connected"]);
  });

  it("is declined at once", () => {
    const phone = new Phone().ringing("s1").feed({ type: "decline", call: "s1" });
    expect(phone.sent).toEqual([{ type: "decline", call: "s1" }]);
    expect(phone.states).toEqual([]);
  });

  it("goes on ringing when the microphone cannot be had", () => {
    const phone = new Phone().ringing("s1").feed({ type: "accept", call: "s1" });
    phone.feed({ type: "mediaFailed", call: "s1" });
    expect(phone.states).toEqual(["s1 incoming"]);
    expect(phone.sent).toEqual([]);
    phone.feed({ type: "accept", call: "s1" });
    expect(phone.states).toEqual(["s1 answering"]);
  });

  it("is missed when the caller gives up", () => {
    const phone = new Phone().ringing("s1");
    phone.hear({ type: "ended", call: "s1", reason: "cancelled" });
    expect(phone.line.recent).toMatchObject([{ reason: "cancelled", wasAnswered: false }]);
  });

  it("does not hide the call that is spoken in", () => {
    expect(new Phone().talking().ringing("s2").line.shown).toBe("s1");
  });

  it("that was told of twice rings once", () => {
    expect(new Phone().ringing("s1").ringing("s1").states).toEqual(["s1 incoming"]);
  });
});

describe("several calls", () => {
  it("hold the one spoken in while another is taken", () => {
    const phone = new Phone().talking().ringing("s2").feed({ type: "accept", call: "s2" });
    phone.has({ type: "pause", call: "s1", paused: true });
    expect(phone.sent).toEqual([{ type: "hold", call: "s1", held: true }]);
    phone.hear({ type: "answer", call: "s2", sdp: "a" });
    expect(phone.states).toEqual(["s1 connected held", "s2 connected"]);
    expect(phone.line.shown).toBe("s2");
  });

  it("change places when a held one is resumed", () => {
    const phone = new Phone().talking().ringing("s2").feed({ type: "accept", call: "s2" });
    phone.hear({ type: "answer", call: "s2", sdp: "a" }).forget();
    phone.feed({ type: "hold", call: "s1", held: false });
    expect(phone.states).toEqual(["s1 connected", "s2 connected held"]);
    expect(phone.line.shown).toBe("s1");
  });

  it("show the held one once the other is over, and leave it held", () => {
    const phone = new Phone().talking().feed({ type: "dial", call: "c1", to: "bob" });
    phone.feed({ type: "hangUp", call: "c1" });
    expect(phone.line.shown).toBe("s1");
    expect(phone.states).toEqual(["s1 connected held"]);
  });

  it("do not bring two conversations when one is answered late", () => {
    const phone = new Phone().feed({ type: "dial", call: "c1", to: "bob" }).ringing("s1", ALICE);
    phone.feed({ type: "accept", call: "s1" });
    phone.hear({ type: "answer", call: "s1", sdp: "a" }, { type: "answer", call: "c1", sdp: "a" });
    expect(phone.states).toEqual(["c1 connected held", "s1 connected"]);
  });
});

describe("a transfer", () => {
  it("is asked for once, and followed", () => {
    const phone = new Phone().talking();
    const ask = { type: "transfer", call: "s1", to: "bob" } as const;
    phone.feed(ask, ask);
    expect(phone.sent).toEqual([{ type: "transfer", call: "s1", to: "bob" }]);
    phone.hear({ type: "transfer", call: "s1", status: "ringing" });
    expect(shown(phone.line)?.transfer).toBe("ringing");
  });

  it("that fails leaves the call, says so, and can be tried again", () => {
    const phone = new Phone().talking().feed({ type: "transfer", call: "s1", to: "bob" });
    phone.hear({ type: "transfer", call: "s1", status: "failed" });
    expect(phone.warned).toHaveLength(1);
    phone.forget().feed({ type: "transfer", call: "s1", to: "user1" });
    expect(phone.sent).toHaveLength(1);
  });
});

it("a transfer that the server does not understand can be tried again", () => {
  const phone = new Phone().talking().feed({ type: "transfer", call: "s1", to: "bob" });
  phone.hear({ type: "error", message: "what?" });
  expect(shown(phone.line)?.transfer).toBeNull();
  expect(phone.warned).toEqual(["what?"]);
});

describe("after a lost socket", () => {
  it("a call that is left gets a new offer with other addresses", () => {
    const phone = new Phone().talking().hear(welcome({}));
    phone.has({ type: "offer", call: "s1", purpose: "offer", restart: true });
    expect(phone.states).toEqual(["s1 connected"]);
    phone.feed(offered("s1", "offer"), { type: "mediaBack", call: "s1" });
    expect(phone.sent).toEqual([{ type: "offer", call: "s1", sdp: "offer" }]);
    expect(shown(phone.line)?.mending).toBe(false);
  });

  it("a call that is gone has ended", () => {
    const phone = new Phone().talking().hear(welcome());
    expect(phone.states).toEqual([]);
    expect(phone.line.recent).toMatchObject([{ reason: "mediaLost", wasAnswered: true }]);
  });

  it("a call of this phone from before the page was loaded anew goes on", () => {
    const phone = new Phone().hear(welcome({ call: "s9", held: true }));
    expect(phone.states).toEqual(["s9 connected held"]);
    expect(shown(phone.line)?.since).toBe(500);
    phone.has({ type: "offer", call: "s9", purpose: "offer", restart: true });
  });

  it("what rings still rings", () => {
    const phone = new Phone().hear(welcome({ state: "ringing", since: null }));
    expect(phone.states).toEqual(["s1 incoming"]);
  });

  it("an acceptance that was lost is said again", () => {
    const phone = new Phone().ringing("s1").feed({ type: "accept", call: "s1" }).forget();
    phone.hear(welcome({ state: "ringing", since: null }));
    phone.has({ type: "offer", call: "s1", purpose: "accept", restart: true });
  });

  it("a call answered meanwhile is connected", () => {
    const phone = new Phone().feed({ type: "dial", call: "c1", to: "alice" });
    phone.hear(welcome({ call: "c1", direction: "outgoing" }));
    expect(phone.states).toEqual(["c1 connected"]);
  });

  it("hold that was pressed meanwhile is said again", () => {
    const phone = new Phone().talking().feed({ type: "hold", call: "s1", held: true }).forget();
    phone.hear(welcome({ held: false }));
    expect(phone.sent).toEqual([{ type: "hold", call: "s1", held: true }]);
  });
});

describe("lost sound", () => {
  it("asks for one new offer, however often it is told", () => {
    const lost = { type: "mediaLost", call: "s1" } as const;
    const phone = new Phone().talking().feed(lost, lost);
    expect(phone.effects).toEqual([{ type: "offer", call: "s1", purpose: "offer", restart: true }]);
  });

  it("ends the call where the new offer is refused", () => {
    const phone = new Phone().talking().feed({ type: "mediaLost", call: "s1" });
    phone.hear({ type: "refused", call: "s1", message: "no" });
    expect(phone.sent).toEqual([{ type: "hangUp", call: "s1" }]);
    expect(phone.warned).toEqual(["no"]);
  });
});

it("nothing that is said of unknown calls changes anything", () => {
  const phone = new Phone().talking();
  const before = phone.line;
  phone.feed({ type: "accept", call: "x" }, { type: "hold", call: "x", held: true });
  phone.hear(
    { type: "ended", call: "x", reason: "busy" },
    { type: "ringing", call: "x", peer: null },
  );
  expect(phone.line).toEqual(before);
  expect(phone.effects).toEqual([]);
});

it("the list of recent calls is bounded", () => {
  const phone = new Phone();
  for (let count = 0; count < 50; count += 1) {
    phone.ringing(`s${count}`).hear({ type: "ended", call: `s${count}`, reason: "cancelled" });
  }
  expect(phone.line.recent).toHaveLength(20);
  expect(phone.line.recent[0]?.id).toBe("s49");
});

it("numbers are called without what only people read", () => {
  const typed = [
    "+1 (201) 555-0123",
    " 0201/5550 ",
    "911",
    "john",
    "sip:a-b@c.example",
    "7 Eleven",
  ];
  expect(typed.map(target)).toEqual([
    "+12015550123",
    "02015550",
    "911",
    "john",
    "sip:a-b@c.example",
    "7 Eleven",
  ]);
});

it("names of several words call nobody", () => {
  const typed = [
    "john",
    "+1 (201) 555-0123",
    "sip:john@contoso.example",
    "John Smith",
    "a@b@c",
    "",
    "<a>",
  ];
  expect(typed.map(isTarget)).toEqual([true, true, true, false, false, false, false]);
});
