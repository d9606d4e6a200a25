/**
 * What a phone does with its calls: decisions only. Sockets, microphones and sounds are the affair of `phone.ts`, which
 * feeds `step` one input after the other and carries out the effects in order.
 *
 * A call's state, and what leads out of it:
 *
 *     calling   --ringing--> ringing --answer--> connected     (outgoing; an answer may come straight after calling)
 *     incoming  --accept---> answering --answer--> connected   (incoming)
 *     any       --ended----> gone, noted in `recent`
 */

import { named, type Person } from "../common/people";
import {
  type EndReason,
  type FromServer,
  isUnderWay,
  type ListedCall,
  type ToServer,
  type TransferStatus,
} from "./protocol";
import { endedText } from "./wording";

export type CallState = "calling" | "ringing" | "incoming" | "answering" | "connected";

export interface Call {
  readonly id: string;
  readonly direction: "incoming" | "outgoing";
  readonly state: CallState;
  readonly peer: Person;
  readonly subject: string | null;
  /** We hold the other side. */
  readonly held: boolean;
  /** The other side holds us. */
  readonly heldByPeer: boolean;
  /** When it was answered, in milliseconds since 1970. */
  readonly since: number | null;
  readonly transfer: TransferStatus | "asked" | null;
  /** Its sound is away, and a new offer is under way. */
  readonly mending: boolean;
}

/** A call that is over. */
export interface Recent {
  readonly id: string;
  readonly direction: "incoming" | "outgoing";
  readonly peer: Person;
  readonly reason: EndReason;
  readonly wasAnswered: boolean;
  readonly at: number;
  /** In milliseconds. */
  readonly length: number;
}

export interface Line {
  readonly calls: readonly Call[];
  /** The call that is shown large and spoken in, unless it is held. */
  readonly shown: string | null;
  readonly recent: readonly Recent[];
}

export const IDLE: Line = { calls: [], shown: null, recent: [] };

export type Purpose = "call" | "accept" | "offer";

export type Input =
  | { readonly type: "dial"; readonly call: string; readonly to: string }
  | { readonly type: "accept" | "decline" | "hangUp" | "show"; readonly call: string }
  | { readonly type: "hold"; readonly call: string; readonly held: boolean }
  | { readonly type: "transfer"; readonly call: string; readonly to: string }
  /** The offer that an effect asked for. */
  | {
      readonly type: "offered";
      readonly call: string;
      readonly purpose: Purpose;
      readonly sdp: string;
    }
  /** There will be no offer: no microphone, for example. */
  | { readonly type: "mediaFailed"; readonly call: string }
  /** Nothing is heard any more, though the call lives. */
  | { readonly type: "mediaLost"; readonly call: string }
  | { readonly type: "mediaBack"; readonly call: string }
  | { readonly type: "server"; readonly message: FromServer };

export type Effect =
  | { readonly type: "send"; readonly message: ToServer }
  /** Make an offer, and feed it back as `offered` or `mediaFailed`. */
  | {
      readonly type: "offer";
      readonly call: string;
      readonly purpose: Purpose;
      readonly restart: boolean;
    }
  | { readonly type: "answer"; readonly call: string; readonly sdp: string }
  | { readonly type: "pause"; readonly call: string; readonly paused: boolean }
  | { readonly type: "close"; readonly call: string }
  /** Tell whoever cannot see it. */
  | { readonly type: "say"; readonly text: string }
  | { readonly type: "warn"; readonly text: string };

/** Arbitrary: what fits beside the keypad. */
const MAX_RECENT = 20;

/** Takes one input; returns the line after it, and what is to be done, in order. */
export function step(line: Line, input: Input, now: number): readonly [Line, readonly Effect[]] {
  const desk = new Desk(line, now);
  desk.take(input);
  return [desk.line, desk.effects];
}

/** The calls that ring here and wait for the user. */
export function incoming(line: Line): readonly Call[] {
  return line.calls.filter((call) => call.state === "incoming");
}

/** The call that is shown large. */
export function shown(line: Line): Call | undefined {
  return line.calls.find((call) => call.id === line.shown);
}

/** What is called when `text` was typed: numbers lose what only people read, and anything else stays as it is. */
export function target(text: string): string {
  const trimmed = text.trim();
  return /^\+?[\d\s()./-]*\d[\d\s()./-]*$/.test(trimmed) ? trimmed.replace(/[^+\d]/g, "") : trimmed;
}

/** Whether somebody could be called so: one word, with at most one `@` in it. */
export function isTarget(text: string): boolean {
  return /^[^\s<>"@]{1,255}(@[^\s<>"@]{1,255})?$/.test(target(text));
}

class Desk {
  readonly effects: Effect[] = [];

  constructor(
    public line: Line,
    private readonly now: number,
  ) {}

  take(input: Input): void {
    if (input.type === "server") return this.hear(input.message);
    if (input.type === "dial") return this.dial(input.call, input.to);
    const call = this.find(input.call);
    if (call) this.act(call, input);
  }

  private act(call: Call, input: Exclude<Input, { type: "server" | "dial" }>): void {
    switch (input.type) {
      case "accept":
        return this.accept(call);
      case "decline":
        return this.leave(call, { type: "decline", call: call.id }, "declined");
      case "hangUp":
        return this.leave(call, { type: "hangUp", call: call.id }, "hungUp");
      case "show":
        this.line = { ...this.line, shown: call.id };
        return;
      case "hold":
        return this.hold(call, input.held);
      case "transfer":
        return this.transfer(call, input.to);
      case "offered":
        return this.offered(call, input.purpose, input.sdp);
      case "mediaFailed":
        return this.mediaFailed(call);
      case "mediaLost":
        if (call.state === "connected" && !call.mending) this.mend(call);
        return;
      case "mediaBack":
        return this.put({ ...call, mending: false });
    }
  }

  private hear(message: FromServer): void {
    if (message.type === "welcome") return this.reconcile(message.calls);
    if (message.type === "error") return this.misunderstood(message.message);
    if (message.type === "incoming") {
      return this.ring(message.call, message.from, message.subject);
    }
    const call = this.find(message.call);
    if (!call) return;
    switch (message.type) {
      case "ringing":
        this.rings(call, message.peer ?? call.peer);
        break;
      case "answer":
        this.answered(call, message.sdp);
        break;
      case "refused":
        this.refused(call, message.message);
        break;
      case "held":
        this.put({ ...call, heldByPeer: message.held });
        this.say(`${named(call.peer)} ${message.held ? "put you on hold" : "is back"}`);
        break;
      case "transfer":
        this.put({ ...call, transfer: message.status });
        if (message.status === "failed")
          this.warn("The transfer did not work. You are still in the call.");
        break;
      case "ended":
        this.end(call, message.reason);
        break;
    }
  }

  /** Whoever is called is shown by the name that the server knows, whatever was written. */
  private rings(call: Call, peer: Person): void {
    if (call.state !== "calling") return;
    this.put({ ...call, state: "ringing", peer });
    this.say(`${named(peer)} is being rung`);
  }

  /** What was not understood is not said; of what was said, only a transfer waits for a word without an end. */
  private misunderstood(message: string): void {
    this.warn(message || "The server did not understand this page. Load it again.");
    for (const call of this.line.calls) {
      if (call.transfer === "asked") this.put({ ...call, transfer: null });
    }
  }

  private dial(id: string, to: string): void {
    this.holdOthers(id);
    const peer = { name: to, address: target(to) };
    const call = { ...blank(id, "outgoing", peer), state: "calling" as const };
    this.line = { ...this.line, calls: [...this.line.calls, call], shown: id };
    this.do({ type: "offer", call: id, purpose: "call", restart: false });
    this.say(`Calling ${to}`);
  }

  private ring(id: string, from: Person, subject: string | null): void {
    if (this.find(id)) return;
    const call = { ...blank(id, "incoming", from), subject };
    this.line = { ...this.line, calls: [...this.line.calls, call] };
  }

  private accept(call: Call): void {
    if (call.state !== "incoming") return;
    this.holdOthers(call.id);
    this.put({ ...call, state: "answering" });
    this.line = { ...this.line, shown: call.id };
    this.do({ type: "offer", call: call.id, purpose: "accept", restart: false });
  }

  private offered(call: Call, purpose: Purpose, sdp: string): void {
    const message: ToServer =
      purpose === "call"
        ? { type: "call", call: call.id, to: call.peer.address, sdp }
        : { type: purpose, call: call.id, sdp };
    this.do({ type: "send", message });
  }

  private answered(call: Call, sdp: string): void {
    if (call.state === "incoming") return;
    this.do({ type: "answer", call: call.id, sdp });
    if (call.state === "connected") return;
    this.put({ ...call, state: "connected", since: this.now });
    this.say(`Connected with ${named(call.peer)}`);
    // Another call may have been taken while this one was rung.
    if (this.line.shown !== call.id)
      this.hold({ ...call, state: "connected", since: this.now }, true);
  }

  private refused(call: Call, message: string): void {
    this.warn(message || "The server cannot use what this browser offers.");
    if (call.state === "connected") {
      if (call.mending) this.leave(call, { type: "hangUp", call: call.id }, "mediaLost");
      return;
    }
    const leave = call.direction === "incoming" ? "decline" : "hangUp";
    this.leave(call, { type: leave, call: call.id }, "failed");
  }

  private hold(call: Call, held: boolean): void {
    if (call.state !== "connected" || call.held === held) return;
    if (!held) this.holdOthers(call.id);
    this.put({ ...call, held });
    if (!held) this.line = { ...this.line, shown: call.id };
    this.do({ type: "pause", call: call.id, paused: held });
    this.do({ type: "send", message: { type: "hold", call: call.id, held } });
    this.say(held ? `${named(call.peer)} is on hold` : `Speaking with ${named(call.peer)}`);
  }

  /** One conversation at a time: whoever else is connected is held. */
  private holdOthers(id: string): void {
    for (const other of this.line.calls) {
      if (other.id !== id && other.state === "connected") this.hold(other, true);
    }
  }

  private transfer(call: Call, to: string): void {
    if (call.state !== "connected" || isUnderWay(call.transfer)) return;
    this.put({ ...call, transfer: "asked" });
    this.do({ type: "send", message: { type: "transfer", call: call.id, to: target(to) } });
    this.say(`Transferring ${named(call.peer)} to ${to}`);
  }

  private mend(call: Call): void {
    this.put({ ...call, mending: true });
    this.do({ type: "offer", call: call.id, purpose: "offer", restart: true });
  }

  private mediaFailed(call: Call): void {
    if (call.state === "answering") {
      // It goes on ringing: with the microphone allowed, it can still be answered.
      this.put({ ...call, state: "incoming" });
      this.line = { ...this.line, shown: this.anotherThan(call.id) };
      this.do({ type: "close", call: call.id });
      return;
    }
    if (call.state === "calling") return this.end(call, "failed");
    if (call.state === "connected")
      this.leave(call, { type: "hangUp", call: call.id }, "mediaLost");
  }

  /** Tells the server, and does not wait for its word: hanging up works at once. */
  private leave(call: Call, message: ToServer, reason: EndReason): void {
    this.do({ type: "send", message });
    this.end(call, reason);
  }

  private end(call: Call, reason: EndReason): void {
    const { id, direction, peer, since } = call;
    const length = since === null ? 0 : this.now - since;
    const over = { id, direction, peer, reason, wasAnswered: since !== null, at: this.now, length };
    this.line = {
      calls: this.line.calls.filter((other) => other.id !== id),
      shown: this.line.shown === id ? this.anotherThan(id) : this.line.shown,
      recent: [over, ...this.line.recent].slice(0, MAX_RECENT),
    };
    this.do({ type: "close", call: id });
    this.say(endedText(over));
  }

  private anotherThan(id: string): string | null {
    const others = this.line.calls.filter((call) => call.id !== id && call.state !== "incoming");
    return others.at(-1)?.id ?? null;
  }

  /** After a new socket: the server tells which calls are left, and each gets back what it lacks. */
  private reconcile(listed: readonly ListedCall[]): void {
    for (const call of this.line.calls) {
      if (!listed.some((other) => other.call === call.id)) this.missed(call);
    }
    for (const there of listed) {
      const here = this.find(there.call);
      if (here) this.resume(here, there);
      else this.adopt(there);
    }
  }

  private missed(call: Call): void {
    this.end(call, call.state === "incoming" ? "cancelled" : "mediaLost");
  }

  private resume(here: Call, there: ListedCall): void {
    const peer = there.peer.address ? there.peer : here.peer;
    if (there.state === "ringing") {
      this.put({ ...here, peer });
      if (here.state === "answering") {
        this.do({ type: "offer", call: here.id, purpose: "accept", restart: true });
      }
      return;
    }
    // What was pressed here while there was no socket counts.
    if (here.state === "connected" && here.held !== there.held) {
      this.do({ type: "send", message: { type: "hold", call: here.id, held: here.held } });
    }
    const since = there.since ?? here.since ?? this.now;
    this.mend({ ...here, peer, state: "connected", since });
  }

  /** A call of this phone from before the page was loaded anew. */
  private adopt(there: ListedCall): void {
    const { call: id, direction, peer, held } = there;
    if (there.state === "ringing" && direction === "incoming") return this.ring(id, peer, null);
    const isConnected = there.state === "connected";
    const state = isConnected ? "connected" : "ringing";
    const since = isConnected ? (there.since ?? this.now) : null;
    const call: Call = { ...blank(id, direction, peer), state, held, since };
    this.line = { ...this.line, calls: [...this.line.calls, call], shown: this.line.shown ?? id };
    // What rings out has lost the offer that its answer would belong to.
    if (isConnected) this.mend(call);
    else this.leave(call, { type: "hangUp", call: id }, "failed");
  }

  private find(id: string): Call | undefined {
    return this.line.calls.find((call) => call.id === id);
  }

  private put(call: Call): void {
    const calls = this.line.calls.map((other) => (other.id === call.id ? call : other));
    this.line = { ...this.line, calls };
  }

  private do(effect: Effect): void {
    this.effects.push(effect);
  }

  private say(text: string): void {
    this.do({ type: "say", text });
  }

  private warn(text: string): void {
    this.do({ type: "warn", text });
  }
}

function blank(id: string, direction: "incoming" | "outgoing", peer: Person): Call {
  return {
    id,
    direction,
    state: "incoming",
    peer,
    subject: null,
    held: false,
    heldByPeer: false,
    since: null,
    transfer: null,
    mending: false,
  };
}
