/** The phone of a page: feeds `line.ts`, carries out what it decides, and shows its state as signals. */

import { batch, computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { Announcer } from "../common/announcer";
import { microphoneProblem, openMicrophone } from "../common/devices";
import { BROWSER, Link, socketAddress } from "../common/link";
import { named, type User } from "../common/people";
import {
  overReload,
  type Preferences,
  preferences,
  randomName,
  remember,
} from "../common/preferences";
import { current, SERVER_GONE, signIn, signOut } from "../common/session";
import { Sound } from "../common/sound";
import type { Notice } from "../common/view/notice";
import {
  type Call,
  type Effect,
  IDLE,
  type Input,
  incoming,
  isTarget,
  type Line,
  shown,
  step,
} from "./line";
import { type FromServer, parse, type ToServer } from "./protocol";
import { Ringer } from "./ringer";
import { endedText, isWorthTelling } from "./wording";

export type Presence =
  /** Not known yet. */
  | { readonly type: "starting" }
  | { readonly type: "signedOut"; readonly problem: string }
  | { readonly type: "signedIn"; readonly user: User };

/** An offer without an answer for so long means that the socket is dead, whatever it says. */
const ANSWER_WITHIN_MS = 6000;

const NO_TARGET =
  "Nobody can be called so. Write a name such as john, an address such as john@contoso.example, or a number such as +1 500 555 0005.";

/** Arbitrary: what fits above the keypad. */
const MAX_PRESSED = 16;

export class Phone {
  readonly presence = signal<Presence>({ type: "starting" });
  readonly line = signal<Line>(IDLE);
  readonly connected = signal(false);
  /** Shown until it is closed or overtaken. */
  readonly notice = signal<Notice | null>(null);
  readonly announcer = new Announcer();
  readonly muted = signal(false);
  /** The keys that were sent in the call that is shown. */
  readonly pressed = signal("");
  readonly preferred = signal<Preferences>(preferences());
  /** Whether the bell can be heard; a page just loaded is silent until it is touched. */
  readonly bellAllowed = signal(true);
  readonly now = signal(Date.now());
  readonly shown: ReadonlySignal<Call | undefined> = computed(() => shown(this.line.value));
  readonly ringing: ReadonlySignal<readonly Call[]> = computed(() => incoming(this.line.value));

  private readonly name = phoneName();
  private readonly ringer = new Ringer();
  private readonly sounds = new Map<string, Sound>();
  private readonly awaited = new Map<string, ReturnType<typeof setTimeout>>();
  private link: Link<FromServer, ToServer> | undefined;
  private microphone: Promise<MediaStreamTrack> | undefined;

  /** Finds out who is signed in, and begins. */
  async start(): Promise<void> {
    addEventListener("online", () => this.link?.retry());
    addEventListener("offline", () => this.link?.drop());
    addEventListener("pointerdown", () => this.wakeBell());
    addEventListener("keydown", () => this.wakeBell());
    effect(() => this.ringer.play(this.pattern()));
    effect(() => this.keepTime());
    void this.ringer.listenAt(this.preferred.value.speaker);
    const found = await current();
    if (found) this.begin(found);
    else this.presence.value = { type: "signedOut", problem: found === null ? "" : SERVER_GONE };
  }

  async signIn(name: string, password: string): Promise<void> {
    // The click that signs in is one that sound may follow.
    void this.allowBell();
    const done = await signIn(name, password);
    if ("user" in done) this.begin(done.user);
    else this.presence.value = { type: "signedOut", problem: done.problem };
  }

  async signOut(): Promise<void> {
    for (const call of this.line.value.calls) {
      this.feed({ type: call.state === "incoming" ? "decline" : "hangUp", call: call.id });
    }
    await signOut();
    this.leave("");
  }

  /** Returns whether there is a call now. */
  dial(to: string): boolean {
    if (!this.isCallable(to)) return false;
    this.feed({ type: "dial", call: `c${randomName(2)}`, to: to.trim() });
    return true;
  }

  /** Returns whether it is under way. */
  transfer(call: string, to: string): boolean {
    if (!this.isCallable(to)) return false;
    this.feed({ type: "transfer", call, to: to.trim() });
    return true;
  }

  private isCallable(to: string): boolean {
    if (!isTarget(to)) this.warn(NO_TARGET);
    else if (!this.connected.value) this.warn(SERVER_GONE);
    else return true;
    return false;
  }

  feed(input: Input): void {
    const before = this.line.value;
    const [line, effects] = step(before, input, Date.now());
    batch(() => {
      this.line.value = line;
      if (input.type === "dial" || input.type === "accept") this.notice.value = null;
      if (line.calls.length === 0) this.muted.value = false;
      if (line.shown !== before.shown) this.pressed.value = "";
    });
    if (line.recent !== before.recent) this.tellOfEnd();
    if (input.type === "server" && input.message.type === "incoming") this.notify(input.message);
    for (const effect of effects) this.carryOut(effect);
    if (line.calls.every((call) => call.state === "incoming")) this.closeMicrophone();
  }

  mute(muted: boolean): void {
    this.muted.value = muted;
    this.say(muted ? "Your microphone is off" : "Your microphone is on");
    void this.microphone?.then((track) => {
      track.enabled = !muted;
    });
  }

  /** Sends a key in the call that is spoken in. */
  press(key: string): void {
    const call = this.shown.value;
    if (call?.state !== "connected" || call.held) return;
    if (!this.sounds.get(call.id)?.press(key)) {
      return this.warn("The other side takes no keys at the moment.");
    }
    this.pressed.value = `${this.pressed.value}${key}`.slice(-MAX_PRESSED);
    this.say(`Key ${spoken(key)}`);
  }

  async prefer(preferred: Preferences): Promise<void> {
    const before = this.preferred.value;
    this.preferred.value = preferred;
    remember(preferred);
    try {
      if (preferred.speaker !== before.speaker) await this.listenAt(preferred.speaker);
    } catch {
      this.warn("This loudspeaker cannot be used. Choose another.");
    }
    if (preferred.microphone === before.microphone || !this.microphone) return;
    const old = this.microphone;
    this.microphone = undefined;
    try {
      const track = await this.openMicrophone();
      await Promise.all([...this.sounds.values()].map((sound) => sound.speakInto(track)));
      (await old).stop();
    } catch (error) {
      this.microphone = old;
      this.warn(microphoneProblem(error));
    }
  }

  async allowBell(): Promise<void> {
    this.bellAllowed.value = await this.ringer.allow();
  }

  /** Whatever somebody does on the page is what browsers wait for before they let it sound. */
  private wakeBell(): void {
    if (!this.bellAllowed.value) void this.allowBell();
  }

  /** Opens the microphone for a moment: browsers name devices only to whom they have let hear. */
  async askForMicrophone(): Promise<void> {
    try {
      await this.openMicrophone();
    } catch (error) {
      this.warn(microphoneProblem(error));
    }
    if (this.line.value.calls.every((call) => call.state === "incoming")) this.closeMicrophone();
  }

  private say(text: string): void {
    this.announcer.say(text);
  }

  warn(text: string): void {
    this.notice.value = { text, tone: "problem" };
  }

  retry(): void {
    this.link?.retry();
  }

  private begin(user: User): void {
    batch(() => {
      this.presence.value = { type: "signedIn", user };
      this.notice.value = null;
    });
    void this.allowBell();
    const address = socketAddress("/hookswitch/v1/web/phone", { phone: this.name });
    const listener = {
      parse,
      heard: (message: FromServer) => this.hear(message),
      lost: (wasOpen: boolean) => void this.lost(wasOpen),
    };
    this.link?.close();
    this.link = new Link(address, listener, BROWSER);
  }

  private hear(message: FromServer): void {
    if (message.type === "welcome") {
      batch(() => {
        if (!this.connected.value && this.line.value.calls.length > 0) {
          this.say("The server is back");
        }
        this.connected.value = true;
        this.presence.value = { type: "signedIn", user: message.user };
      });
    }
    if ("call" in message) this.settle(message.call);
    this.feed({ type: "server", message });
  }

  private async lost(wasOpen: boolean): Promise<void> {
    batch(() => {
      if (this.connected.value) this.say("The server is gone; trying to get it back");
      this.connected.value = false;
    });
    // A socket that was never open may have been refused because the session is over; the socket itself does not say.
    const link = this.link;
    const found = wasOpen ? undefined : await current();
    if (found === null && link === this.link) {
      this.leave("You were signed out, because the session is over. Sign in again.");
    }
  }

  private leave(problem: string): void {
    this.link?.close();
    this.link = undefined;
    for (const call of this.line.value.calls) this.close(call.id);
    this.closeMicrophone();
    batch(() => {
      this.connected.value = false;
      this.line.value = IDLE;
      this.notice.value = null;
      this.presence.value = { type: "signedOut", problem };
    });
  }

  private carryOut(effect: Effect): void {
    switch (effect.type) {
      case "send":
        this.link?.send(effect.message);
        break;
      case "offer":
        void this.offer(effect);
        break;
      case "answer":
        this.settle(effect.call);
        void this.answer(effect.call, effect.sdp);
        break;
      case "pause":
        void this.sounds.get(effect.call)?.pause(effect.paused);
        break;
      case "close":
        this.close(effect.call);
        break;
      case "say":
        this.say(effect.text);
        break;
      case "warn":
        this.warn(effect.text);
        break;
    }
  }

  private async offer({ call, purpose, restart }: Effect & { type: "offer" }): Promise<void> {
    try {
      const sound = this.sounds.get(call) ?? (await this.openSound(call));
      const sdp = await sound?.offer(restart);
      if (!sdp || sound !== this.sounds.get(call)) return;
      this.feed({ type: "offered", call, purpose, sdp });
      // Of calls that go out it takes as long as somebody lets it ring.
      if (purpose !== "call") this.await(call);
    } catch (error) {
      if (!this.line.value.calls.some((other) => other.id === call)) return;
      this.feed({ type: "mediaFailed", call });
      this.warn(microphoneProblem(error));
    }
  }

  private async openSound(id: string): Promise<Sound | undefined> {
    const track = await this.openMicrophone();
    const call = this.line.value.calls.find((other) => other.id === id);
    // Hung up while the browser asked for the microphone.
    if (!call) return undefined;
    const sound = new Sound(track, {
      lost: () => this.feed({ type: "mediaLost", call: id }),
      back: () => this.feed({ type: "mediaBack", call: id }),
    });
    this.sounds.set(id, sound);
    await sound.listenAt(this.preferred.value.speaker).catch(() => {});
    if (call.held) await sound.pause(true);
    return sound;
  }

  private async answer(call: string, sdp: string): Promise<void> {
    try {
      await this.sounds.get(call)?.answer(sdp);
    } catch {
      this.feed({ type: "mediaFailed", call });
      this.warn("The server answered with something that this browser cannot use.");
    }
  }

  /** What the server answers by itself, it answers soon. */
  private await(call: string): void {
    this.settle(call);
    this.awaited.set(
      call,
      setTimeout(() => this.link?.drop(), ANSWER_WITHIN_MS),
    );
  }

  private settle(call: string): void {
    clearTimeout(this.awaited.get(call));
    this.awaited.delete(call);
  }

  private close(call: string): void {
    this.settle(call);
    this.sounds.get(call)?.close();
    this.sounds.delete(call);
  }

  private async openMicrophone(): Promise<MediaStreamTrack> {
    const opened = this.microphone ?? openMicrophone(this.preferred.value.microphone);
    this.microphone = opened;
    try {
      const track = await opened;
      track.enabled = !this.muted.value;
      track.onended = () => {
        if (this.microphone !== opened) return;
        this.microphone = undefined;
        this.warn("The microphone is gone. Plug it in again, or choose another in the settings.");
      };
      return track;
    } catch (error) {
      if (this.microphone === opened) this.microphone = undefined;
      throw error;
    }
  }

  /** Nobody is listened to between calls. */
  private closeMicrophone(): void {
    const opened = this.microphone;
    this.microphone = undefined;
    void opened?.then(
      (track) => track.stop(),
      () => {},
    );
  }

  private async listenAt(device: string): Promise<void> {
    await this.ringer.listenAt(device);
    await Promise.all([...this.sounds.values()].map((sound) => sound.listenAt(device)));
  }

  private pattern(): "bell" | "ringback" | null {
    const { calls } = this.line.value;
    const isBusy = calls.some((call) => call.state === "connected" && !call.held);
    if (incoming(this.line.value).length > 0 && !isBusy) return "bell";
    return shown(this.line.value)?.state === "ringing" ? "ringback" : null;
  }

  /** The clock of the calls; it stands still while there is none. */
  private keepTime(): (() => void) | undefined {
    if (this.line.value.calls.length === 0) return undefined;
    this.now.value = Date.now();
    const timer = setInterval(() => {
      this.now.value = Date.now();
    }, 500);
    return () => clearInterval(timer);
  }

  private tellOfEnd(): void {
    const [over] = this.line.value.recent;
    if (over && isWorthTelling(over)) this.notice.value = { text: endedText(over), tone: "remark" };
  }

  private notify(message: FromServer & { type: "incoming" }): void {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    if (document.visibilityState === "visible" && document.hasFocus()) return;
    const options = { body: message.subject ?? message.from.address, tag: message.call };
    try {
      const shownThere = new Notification(`${named(message.from)} is calling`, options);
      shownThere.onclick = () => {
        window.focus();
        shownThere.close();
      };
    } catch {
      // Some browsers of phones have the class, and forbid its use by pages.
    }
  }
}

function spoken(key: string): string {
  if (key === "*") return "star";
  return key === "#" ? "hash" : key;
}

/** The name by which the server knows this page again, also after it was loaded anew. */
function phoneName(): string {
  const kept = overReload("hookswitch.phone", () => ({ name }));
  const name = typeof kept.name === "string" && kept.name ? kept.name : randomName(4);
  return name;
}
