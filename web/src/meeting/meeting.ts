/** The meeting of a page: feeds `visit.ts`, carries out what it decides, and shows its state as signals. */

import { batch, computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { Announcer } from "../common/announcer";
import { BROWSER, Link, socketAddress } from "../common/link";
import { overReload, randomName } from "../common/preferences";
import { SERVER_GONE, signIn, signOut } from "../common/session";
import { Sound } from "../common/sound";
import type { Notice } from "../common/view/notice";
import { Equipment } from "./equipment";
import { Gallery } from "./gallery";
import { type Invitation, invitation } from "./invitation";
import { type FromServer, type Participant, parse, type ToServer } from "./protocol";
import { find } from "./roster";
import type { Wanted } from "./stage";
import { BEFORE, type Effect, type Entry, type Input, isThere, step, type Visit } from "./visit";

/** What is known of the meeting itself. */
export type Door =
  /** Not known yet. */
  | { readonly type: "starting" }
  /** There is no such meeting. */
  | { readonly type: "none" }
  /** The server does not answer. */
  | { readonly type: "unknown" }
  | { readonly type: "found"; readonly invitation: Invitation };

/** An offer without an answer for so long means that the socket is dead, whatever it says. */
const ANSWER_WITHIN_MS = 6000;

export class Meeting {
  readonly door = signal<Door>({ type: "starting" });
  readonly visit = signal<Visit>(BEFORE);
  readonly connected = signal(true);
  /** The browser keeps the page silent until somebody has touched it. */
  readonly silent = signal(false);
  /** Shown until it is closed or overtaken. */
  readonly notice = signal<Notice | null>(null);
  /** What went wrong with the last attempt to sign in. */
  readonly signInProblem = signal("");
  readonly announcer = new Announcer();
  readonly equipment = new Equipment({
    warn: (text) => this.warn(text),
    spoken: (track) => void this.sound?.speakInto(track),
    silenced: () => this.isUnderWay && this.feed({ type: "mute", muted: true }),
    seen: (track) => this.seen(track),
    screenEnded: () => this.feed({ type: "screen", on: false }),
  });
  readonly gallery = new Gallery((message) => this.link?.send(message));
  readonly you: ReadonlySignal<Participant | undefined> = computed(() =>
    find(this.visit.value.people, this.visit.value.you),
  );

  /** The meeting's own address, by which the server knows it. */
  private readonly address = location.pathname + location.search;
  private readonly page: string;
  /** How one was in the meeting before the page was loaded anew. */
  private readonly before: Entry | undefined;
  private joinedAs: string | null = null;
  private link: Link<FromServer, ToServer> | undefined;
  private sound: Sound | undefined;
  private awaited: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const kept = overReload("hookswitch.meeting", () => this.keepsake());
    const isSame = kept.address === this.address && typeof kept.page === "string" && kept.page;
    this.page = isSame ? String(kept.page) : randomName(4);
    if (isSame && kept.isThere === true) {
      this.before = {
        name: String(kept.name ?? ""),
        muted: kept.muted === true,
        camera: kept.camera === true,
      };
    }
  }

  /** Finds out which meeting it is, and comes back to it where one was in it. */
  async start(): Promise<void> {
    addEventListener("online", () => this.link?.retry());
    addEventListener("offline", () => this.link?.drop());
    effect(() => void this.equipment.listenAt(this.equipment.preferred.value.speaker));
    await this.begin();
  }

  async begin(): Promise<void> {
    await this.look();
    if (this.door.value.type !== "found") return;
    if (!this.before) return this.equipment.prepare();
    await this.enter("return", this.before);
  }

  /** Asks the server for the meeting. */
  async look(): Promise<void> {
    const found = await invitation(this.address);
    if (found) this.door.value = { type: "found", invitation: found };
    else this.door.value = { type: found === null ? "none" : "unknown" };
  }

  async signIn(name: string, password: string): Promise<void> {
    const done = await signIn(name, password);
    this.signInProblem.value = "problem" in done ? done.problem : "";
    if ("user" in done) await this.look();
  }

  async signOut(): Promise<void> {
    await signOut();
    await this.look();
  }

  /** Asks to come in; a name only counts for guests. */
  async join(name: string): Promise<void> {
    this.notice.value = null;
    const { equipment } = this;
    await equipment.prepare();
    await this.enter("join", {
      name,
      muted: equipment.muted.value,
      camera: equipment.camera.value !== null,
    });
  }

  /** Joins as the last time. */
  async joinAgain(): Promise<void> {
    await this.look();
    if (this.door.value.type === "unknown") this.warn(SERVER_GONE);
    const door = this.door.value;
    if (door.type !== "found") return;
    // Whoever was signed in does not come in as a guest unasked.
    const user = door.invitation.user?.id ?? null;
    if (user !== this.joinedAs) return this.feed({ type: "stepBack" });
    const { name, camera } = this.visit.value;
    if (camera) await this.equipment.turnCamera(true);
    await this.join(name);
  }

  async mute(muted: boolean): Promise<void> {
    if (!muted && !(await this.equipment.openMicrophone())) return;
    this.equipment.mute(muted);
    // What was wrong with the microphone is over, or that one was muted.
    if (!muted) this.notice.value = null;
    if (this.isUnderWay) this.feed({ type: "mute", muted });
  }

  async turnCamera(on: boolean): Promise<void> {
    const isDone = await this.equipment.turnCamera(on);
    // That it is off is told as it goes off, for whatever reason.
    if (isDone && on && this.isUnderWay) this.feed({ type: "camera", on });
  }

  async shareScreen(on: boolean): Promise<void> {
    if (on && !(await this.equipment.captureScreen())) return;
    if (on && !isThere(this.visit.value)) return this.equipment.stopScreen();
    await this.gallery.show("screen", this.equipment.screen.value);
    this.feed({ type: "screen", on });
  }

  /** What the page shows of others. */
  watch(wanted: readonly Wanted[]): void {
    this.gallery.watch(wanted);
  }

  feed(input: Input): void {
    const before = this.visit.value;
    const [visit, effects] = step(before, input);
    this.visit.value = visit;
    for (const effect of effects) this.carryOut(effect);
    if (visit.stage === before.stage) return;
    if (visit.stage === "ended") this.equipment.close();
    if (visit.stage === "before") void this.equipment.prepare();
  }

  retry(): void {
    this.link?.retry();
  }

  /** Within a click or a key, sound may begin. */
  play(): void {
    void this.sound?.play();
  }

  warn(text: string): void {
    this.notice.value = { text, tone: "problem" };
  }

  private get isUnderWay(): boolean {
    const { stage } = this.visit.value;
    return stage !== "before" && stage !== "ended";
  }

  private async enter(type: "join" | "return", entry: Entry): Promise<void> {
    const door = this.door.value;
    this.joinedAs = door.type === "found" ? (door.invitation.user?.id ?? null) : null;
    if (type === "join") return this.feed({ type, ...entry });
    this.equipment.mute(entry.muted);
    this.feed({ type, ...entry });
    await this.equipment.prepare();
    // What was seen before is seen again; where the camera is gone meanwhile, that is told.
    const isOn = entry.camera && (await this.equipment.turnCamera(true));
    if (isOn !== entry.camera) this.feed({ type: "camera", on: isOn });
  }

  private open(): void {
    const query = { url: this.address, page: this.page };
    const listener = {
      parse,
      heard: (message: FromServer) => this.hear(message),
      lost: (wasOpen: boolean) => void this.lost(wasOpen),
    };
    this.link?.close();
    const address = socketAddress("/hookswitch/v1/web/meeting/socket", query);
    this.link = new Link(address, listener, BROWSER);
  }

  private hear(message: FromServer): void {
    if (message.type === "welcome") this.connected.value = true;
    if (message.type === "answer" || message.type === "refused") clearTimeout(this.awaited);
    batch(() => this.feed({ type: "server", message }));
  }

  private async lost(wasOpen: boolean): Promise<void> {
    clearTimeout(this.awaited);
    this.connected.value = false;
    // Guests come back by the name of their page alone.
    if (wasOpen && this.joinedAs === null) return;
    // The session may be over, or a socket that was never open may have been refused for good; the socket does not say.
    const link = this.link;
    const found = await invitation(this.address);
    if (link !== this.link || found === undefined) return;
    if (found === null) return this.feed({ type: "end", ending: "over" });
    this.door.value = { type: "found", invitation: found };
    if (this.joinedAs !== null && found.user?.id !== this.joinedAs) {
      this.feed({ type: "end", ending: "signedOut" });
    }
  }

  private carryOut(effect: Effect): void {
    switch (effect.type) {
      case "send":
        this.link?.send(effect.message);
        break;
      case "open":
        this.open();
        break;
      case "shut":
        this.shut();
        break;
      case "offer":
        void this.offer(effect);
        break;
      case "offerPictures":
        void this.offerPictures(effect);
        break;
      case "answer":
        void this.answer(effect.sdp);
        break;
      case "answerPictures":
        void this.gallery.answer(effect.sdp).catch(() => this.warn(UNUSABLE_PICTURES));
        break;
      case "microphone":
        this.equipment.mute(!effect.on);
        break;
      case "stopScreen":
        this.equipment.stopScreen();
        void this.gallery.show("screen", null);
        break;
      case "close":
        this.close();
        break;
      case "say":
        this.announcer.say(effect.text);
        break;
      case "warn":
        this.warn(effect.text);
        break;
    }
  }

  private async offer({ purpose, how }: Effect & { type: "offer" }): Promise<void> {
    try {
      if (how === "fresh") this.closeSound();
      const sound = this.sound ?? this.openSound();
      const sdp = await sound.offer(true);
      if (!sdp || sound !== this.sound) return;
      this.feed({ type: "offered", purpose, sdp });
      clearTimeout(this.awaited);
      if (purpose === "offer") {
        this.awaited = setTimeout(() => this.link?.drop(), ANSWER_WITHIN_MS);
      }
    } catch {
      this.feed({ type: "soundFailed" });
      this.warn("This browser cannot begin a connection. Load the page again.");
    }
  }

  private openSound(): Sound {
    const sound = new Sound(this.equipment.microphone.value, {
      lost: () => this.feed({ type: "soundLost" }),
      back: () => this.feed({ type: "soundBack" }),
      silenced: (isSilent) => {
        if (sound === this.sound) this.silent.value = isSilent;
      },
    });
    this.sound = sound;
    void this.equipment.plugIn(sound);
    return sound;
  }

  private async answer(sdp: string): Promise<void> {
    try {
      await this.sound?.answer(sdp);
    } catch {
      this.feed({ type: "soundFailed" });
      this.warn("The server answered with something that this browser cannot use.");
    }
  }

  private async offerPictures({ how }: Effect & { type: "offerPictures" }): Promise<void> {
    try {
      const { camera, screen } = this.equipment;
      const sdp = await this.gallery.offer(
        how,
        { camera: camera.value, screen: screen.value },
        {
          lost: () => this.feed({ type: "picturesLost" }),
          back: () => this.feed({ type: "picturesBack" }),
        },
      );
      if (sdp) this.feed({ type: "picturesOffered", sdp });
    } catch {
      this.warn("This browser cannot show pictures. The sound goes on.");
    }
  }

  private seen(track: MediaStreamTrack | null): void {
    void this.gallery.show("camera", track);
    if (!track && this.isUnderWay && this.visit.value.camera) {
      this.feed({ type: "camera", on: false });
    }
  }

  private closeSound(): void {
    this.silent.value = false;
    this.sound?.close();
    this.sound = undefined;
    this.equipment.plugIn(undefined);
  }

  private close(): void {
    clearTimeout(this.awaited);
    this.closeSound();
    this.gallery.close();
    this.equipment.stopScreen();
  }

  private shut(): void {
    // What was said last is still sent.
    this.link?.close();
    this.link = undefined;
    this.connected.value = true;
  }

  private keepsake() {
    const { name, muted, camera } = this.visit.value;
    return {
      address: this.address,
      page: this.page,
      isThere: this.isUnderWay,
      name,
      muted,
      camera,
    };
  }
}

const UNUSABLE_PICTURES = "The server answered with pictures that this browser cannot use.";
