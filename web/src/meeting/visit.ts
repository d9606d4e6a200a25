/**
 * What a page does with its place in a meeting: decisions only. Sockets, devices and pictures are the affair of
 * `meeting.ts`, which feeds `step` one input after the other and carries out the effects in order.
 *
 * A visit's stage, and what leads out of it:
 *
 *     before    --join-----> joining --state--> lobby or in
 *     lobby     --state----> in <--state--> held
 *     returning --welcome--> lobby, in, held or before       (a page that was loaded anew)
 *     any       --ended----> ended --join--> joining
 */

import type { EndReason, FromServer, Participant, ToServer, Whereabouts } from "./protocol";
import { find, isInside, news } from "./roster";
import { endedText, withWord } from "./wording";

export type Stage = "before" | "joining" | "returning" | "lobby" | "in" | "held" | "ended";

/** Why a visit is over: as the server said, or because the session is. */
export type Ending = EndReason | "signedOut";

export interface Visit {
  readonly stage: Stage;
  /** What a guest is called. */
  readonly name: string;
  readonly you: string | null;
  readonly people: readonly Participant[];
  readonly speaker: string | null;
  /** Who spoke, the latest first. */
  readonly spoke: readonly string[];
  readonly muted: boolean;
  /** The server has not said yet that it knows of `muted`. */
  readonly muteAsked: boolean;
  readonly camera: boolean;
  /** `asked` until the server shows it to the others. */
  readonly screen: "off" | "asked" | "on";
  /** The sound is away, and an offer is under way. */
  readonly mending: boolean;
  /** How many offers were refused, one after the other. */
  readonly refused: { readonly sound: number; readonly pictures: number };
  readonly ending: Ending | null;
}

export const BEFORE: Visit = {
  stage: "before",
  name: "",
  you: null,
  people: [],
  speaker: null,
  spoke: [],
  muted: false,
  muteAsked: false,
  camera: false,
  screen: "off",
  mending: false,
  refused: { sound: 0, pictures: 0 },
  ending: null,
};

/** With what one comes in. */
export interface Entry {
  readonly name: string;
  readonly muted: boolean;
  readonly camera: boolean;
}

/** `restart` looks for other addresses on the same connection; `fresh` begins with another one. */
export type How = "restart" | "fresh";

export type Input =
  | ({ readonly type: "join" | "return" } & Entry)
  /** The offer of sound that an effect asked for. */
  | { readonly type: "offered"; readonly purpose: "join" | "offer"; readonly sdp: string }
  | { readonly type: "picturesOffered"; readonly sdp: string }
  /** There will be no offer, or its answer cannot be used. */
  | { readonly type: "soundFailed" | "soundLost" | "soundBack" }
  | { readonly type: "picturesLost" | "picturesBack" }
  | { readonly type: "mute"; readonly muted: boolean }
  | { readonly type: "hand"; readonly raised: boolean }
  | { readonly type: "camera" | "screen"; readonly on: boolean }
  | { readonly type: "admit"; readonly participant: string | null }
  | { readonly type: "remove" | "muteOther"; readonly participant: string }
  | { readonly type: "leave" }
  /** From the end back to the door. */
  | { readonly type: "stepBack" }
  | { readonly type: "end"; readonly ending: Ending }
  | { readonly type: "server"; readonly message: FromServer };

export type Effect =
  | { readonly type: "send"; readonly message: ToServer }
  /** Open the socket, or close it for good. */
  | { readonly type: "open" | "shut" }
  /** Make an offer of sound, and feed it back as `offered` or `soundFailed`. */
  | { readonly type: "offer"; readonly purpose: "join" | "offer"; readonly how: How }
  /** Make an offer of pictures, and feed it back as `picturesOffered`. */
  | { readonly type: "offerPictures"; readonly how: How }
  | { readonly type: "answer" | "answerPictures"; readonly sdp: string }
  | { readonly type: "microphone"; readonly on: boolean }
  /** Stop capturing the screen. */
  | { readonly type: "stopScreen" }
  /** Close the connections, and what is captured of the screen. */
  | { readonly type: "close" }
  /** Tell whoever cannot see it. */
  | { readonly type: "say"; readonly text: string }
  | { readonly type: "warn"; readonly text: string };

/** Arbitrary: more than can be shown at once. */
const MAX_SPOKE = 32;

/** So many offers in a row are made of a kind; the second one begins with another connection. */
const MAX_REFUSED = 2;

/** Takes one input; returns the visit after it, and what is to be done, in order. */
export function step(visit: Visit, input: Input): readonly [Visit, readonly Effect[]] {
  const guide = new Guide(visit);
  guide.take(input);
  return [guide.visit, guide.effects];
}

/** Whether one hears the meeting, or what is played to one aside. */
export function isThere({ stage }: Visit): boolean {
  return stage === "in" || stage === "held";
}

/** Oneself, as the server tells it. */
export function me(visit: Visit): Participant | undefined {
  return find(visit.people, visit.you);
}

class Guide {
  readonly effects: Effect[] = [];

  constructor(public visit: Visit) {}

  take(input: Input): void {
    switch (input.type) {
      case "join":
      case "return":
        return this.come(input.type, input);
      case "end":
        return this.end(input.ending);
      case "stepBack":
        if (this.visit.stage === "ended") this.put({ stage: "before" });
        return;
      case "server":
        return this.hear(input.message);
      case "offered":
      case "picturesOffered":
      case "soundFailed":
      case "soundLost":
      case "soundBack":
      case "picturesLost":
      case "picturesBack":
        if (this.isUnderWay) this.media(input);
        return;
      case "mute":
      case "hand":
      case "camera":
      case "screen":
      case "admit":
      case "remove":
      case "muteOther":
      case "leave":
        return this.act(input);
    }
  }

  private get isUnderWay(): boolean {
    return this.visit.stage !== "before" && this.visit.stage !== "ended";
  }

  private come(type: "join" | "return", { name, muted, camera }: Entry): void {
    if (this.isUnderWay) return;
    const stage = type === "join" ? "joining" : "returning";
    this.visit = { ...BEFORE, stage, name, muted, camera, muteAsked: muted };
    this.do({ type: "open" });
  }

  private act(
    input: Extract<
      Input,
      {
        type: "mute" | "hand" | "camera" | "screen" | "admit" | "remove" | "muteOther" | "leave";
      }
    >,
  ): void {
    switch (input.type) {
      case "mute":
        return this.mute(input.muted);
      case "camera":
        this.put({ camera: input.on });
        this.say(input.on ? "Your camera is on" : "Your camera is off");
        return this.tell({ type: "camera", on: input.on });
      case "screen":
        return this.screen(input.on);
      case "admit":
        return this.tell(
          input.participant === null
            ? { type: "admit" }
            : { type: "admit", participant: input.participant },
        );
      case "hand":
      case "remove":
      case "muteOther":
        return this.tell(input);
      case "leave":
        return this.leave();
    }
  }

  private leave(): void {
    const { stage } = this.visit;
    if (!this.isUnderWay) return;
    this.do({ type: "send", message: { type: "leave" } });
    if (stage === "joining" || stage === "returning") return this.stepBack();
    this.end("left");
  }

  private mute(muted: boolean): void {
    this.put({ muted, muteAsked: true });
    this.do({ type: "microphone", on: !muted });
    this.say(muted ? "Your microphone is off" : "Your microphone is on");
    this.tell({ type: "mute", muted });
  }

  private screen(on: boolean): void {
    if (!isThere(this.visit)) return;
    this.put({ screen: on ? "asked" : "off" });
    if (!on) this.do({ type: "stopScreen" });
    this.tell({ type: "screen", on });
    if (!on) this.say("You no longer share your screen");
  }

  private media(
    input: Extract<
      Input,
      {
        type:
          | "offered"
          | "picturesOffered"
          | "soundFailed"
          | "soundLost"
          | "soundBack"
          | "picturesLost"
          | "picturesBack";
      }
    >,
  ): void {
    const { stage, name, refused } = this.visit;
    switch (input.type) {
      case "offered": {
        const { purpose, sdp } = input;
        const message: ToServer =
          purpose === "join" ? { type: "join", name, sdp } : { type: "offer", sdp };
        return this.do({ type: "send", message });
      }
      case "picturesOffered":
        return this.do({ type: "send", message: { type: "pictures", sdp: input.sdp } });
      case "soundFailed":
        return this.soundFailed();
      case "soundLost":
        if (stage === "joining" || this.visit.mending) return;
        this.say("The sound is away; trying to get it back");
        return this.mend("restart");
      case "soundBack":
        return this.put({ mending: false, refused: { ...refused, sound: 0 } });
      case "picturesLost":
        if (isThere(this.visit)) this.do({ type: "offerPictures", how: "restart" });
        return;
      case "picturesBack":
        return this.put({ refused: { ...refused, pictures: 0 } });
    }
  }

  private hear(message: FromServer): void {
    if (message.type === "error") {
      this.warn(withWord(NOT_DONE, message.message));
      return this.takeBack();
    }
    if (message.type === "welcome") return this.welcome(message);
    if (!this.isUnderWay) return;
    switch (message.type) {
      case "answer":
        return this.do({ type: "answer", sdp: message.sdp });
      case "pictures":
        return this.do({ type: "answerPictures", sdp: message.sdp });
      case "refused":
        return this.refuse(message);
      case "state":
        return this.move(message.state, message.you);
      case "roster":
        return this.meet(message.people);
      case "speaker":
        return this.listen(message.participant);
      case "denied":
        return this.denied(message.message);
      case "ended":
        return this.end(message.reason);
    }
  }

  private welcome({ state, you }: FromServer & { type: "welcome" }): void {
    const { stage } = this.visit;
    if (stage === "before" || stage === "ended") return;
    if (state !== "outside") return this.resume(state, you);
    if (stage === "joining") return this.do({ type: "offer", purpose: "join", how: "restart" });
    if (stage !== "returning") return this.end("mediaLost");
    this.stepBack();
  }

  /** The server has kept the place over a loss of the socket, and gets what it lacks. */
  private resume(state: Whereabouts, you: string | null): void {
    const { stage, camera, muted, muteAsked, screen, refused } = this.visit;
    this.put({
      stage: state,
      you: you ?? this.visit.you,
      refused: { sound: 0, pictures: refused.pictures },
    });
    this.sayAside(stage);
    this.mend("restart");
    if (state === "lobby") return;
    this.do({ type: "offerPictures", how: "restart" });
    this.tell({ type: "camera", on: camera });
    // What was pressed here while there was no socket counts; what others did meanwhile counts otherwise.
    if (muteAsked) this.tell({ type: "mute", muted });
    // A page that was loaded anew has lost its picture of the screen, and may not take another unasked.
    if (stage === "returning" || screen === "off") this.tell({ type: "screen", on: false });
    if (screen === "asked") this.tell({ type: "screen", on: true });
  }

  private move(state: Whereabouts, you: string): void {
    const before = this.visit.stage;
    this.put({ stage: state, you });
    if (state === "lobby") {
      if (before !== "lobby") this.say("You wait in the lobby. Somebody will let you in soon.");
      return;
    }
    if (before === "in" || before === "held") return this.sayAside(before);
    this.arrive();
  }

  /** Says that one was taken aside or is back, if one was there before. */
  private sayAside(before: Stage): void {
    if (before === "in" && this.visit.stage === "held") {
      this.say("You were taken aside for a while");
    }
    if (before === "held" && this.visit.stage === "in") this.say("You are in the meeting");
  }

  private arrive(): void {
    const { muted, muteAsked, camera } = this.visit;
    this.say("You are in the meeting");
    if (muteAsked) this.tell({ type: "mute", muted });
    this.do({ type: "offerPictures", how: "restart" });
    if (camera) this.tell({ type: "camera", on: true });
  }

  private refuse({ of, message }: FromServer & { type: "refused" }): void {
    const { refused } = this.visit;
    if (of === "join") {
      if (this.visit.stage !== "joining") return;
      this.stepBack();
      return this.warn(withWord("You cannot come in.", message));
    }
    if (of === "pictures") {
      this.put({ refused: { ...refused, pictures: refused.pictures + 1 } });
      if (refused.pictures + 1 < MAX_REFUSED) {
        return this.do({ type: "offerPictures", how: "fresh" });
      }
      return this.warn(withWord(NO_PICTURES, message));
    }
    this.put({ refused: { ...refused, sound: refused.sound + 1 } });
    if (refused.sound + 1 < MAX_REFUSED) return this.mend("fresh");
    this.warn(withWord("The server cannot use what this browser offers.", message));
    this.giveUp();
  }

  private soundFailed(): void {
    if (this.visit.stage !== "joining") return this.giveUp();
    this.do({ type: "send", message: { type: "leave" } });
    this.stepBack();
  }

  /** Before the door again, as if nothing had been asked. */
  private stepBack(): void {
    this.put({ stage: "before" });
    this.do({ type: "close" });
    this.do({ type: "shut" });
  }

  private giveUp(): void {
    this.do({ type: "send", message: { type: "leave" } });
    this.end("mediaLost");
  }

  private meet(people: readonly Participant[]): void {
    const { people: before, you, screen, spoke } = this.visit;
    const isThereYet = (id: string) => find(people, id) !== undefined;
    this.put({ people, spoke: spoke.filter(isThereYet) });
    const text = news(before, people, you);
    if (text) this.say(text);
    const self = find(people, you);
    if (!self || !isThere(this.visit) || !isInside(self)) return;
    this.heedMute(self);
    if (self.screen && screen === "asked") this.put({ screen: "on" });
    if (!self.screen && screen === "on") this.screenTaken(people);
  }

  private heedMute(self: Participant): void {
    const { muted, muteAsked } = this.visit;
    if (self.isMuted === muted) return this.put({ muteAsked: false });
    // What was asked for is on its way.
    if (muteAsked) return;
    this.put({ muted: self.isMuted });
    this.do({ type: "microphone", on: !self.isMuted });
    if (self.isMuted) this.warn("You were muted. Unmute yourself when you want to speak.");
  }

  private screenTaken(people: readonly Participant[]): void {
    this.put({ screen: "off" });
    this.do({ type: "stopScreen" });
    const other = people.find((one) => one.screen);
    this.warn(
      other
        ? `${other.name || "Somebody"} shares now; your screen is no longer seen.`
        : "Your screen is no longer shared.",
    );
  }

  private listen(speaker: string | null): void {
    const { spoke } = this.visit;
    if (speaker === null) return this.put({ speaker });
    const others = spoke.filter((id) => id !== speaker);
    this.put({ speaker, spoke: [speaker, ...others].slice(0, MAX_SPOKE) });
  }

  private denied(message: string): void {
    this.warn(withWord("You may not do that in this meeting.", message));
    this.takeBack();
  }

  /** The server does not tell what it was that is not done; so nothing is opened that was meant to be shut. */
  private takeBack(): void {
    if (!this.isUnderWay) return;
    const { screen, muted, muteAsked } = this.visit;
    if (screen === "asked") {
      this.put({ screen: "off" });
      this.do({ type: "stopScreen" });
    }
    if (!muteAsked || muted) return;
    const isMuted = me(this.visit)?.isMuted ?? false;
    this.put({ muteAsked: false, muted: isMuted });
    this.do({ type: "microphone", on: !isMuted });
  }

  private mend(how: How): void {
    this.put({ mending: true });
    this.do({ type: "offer", purpose: "offer", how });
  }

  private end(ending: Ending): void {
    if (!this.isUnderWay) return;
    const { name, muted, camera } = this.visit;
    this.visit = { ...BEFORE, stage: "ended", name, muted, camera, ending };
    this.do({ type: "close" });
    this.do({ type: "shut" });
    this.say(endedText(ending));
  }

  private put(changed: Partial<Visit>): void {
    this.visit = { ...this.visit, ...changed };
  }

  private do(effect: Effect): void {
    this.effects.push(effect);
  }

  /** Says something to the server that only counts in the meeting. */
  private tell(message: ToServer): void {
    if (isThere(this.visit)) this.do({ type: "send", message });
  }

  private say(text: string): void {
    this.do({ type: "say", text });
  }

  private warn(text: string): void {
    this.do({ type: "warn", text });
  }
}

const NO_PICTURES = "Pictures cannot be had at the moment. The sound goes on.";
const NOT_DONE = "The server did not do that.";
