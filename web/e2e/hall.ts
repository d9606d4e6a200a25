/** A meeting of the stand-in: who is in it, and what its pages are told. Pictures are those of a `PictureRelay`. */

import type { WebSocket } from "ws";
import type { User } from "../src/common/people";
import type {
  EndReason,
  FromServer,
  Participant,
  ToServer,
  Whereabouts,
} from "../src/meeting/protocol";
import type { PictureRelay } from "./picture_relay";

const THREAD = "19%3ameeting_NDQ4%40thread.v2";
export const ADDRESS = `/l/meetup-join/${THREAD}/0?context=%7b%22Tid%22%3a%22t%22%2c%22Oid%22%3a%22o%22%7d`;

export const SUBJECT = "Weekly planning";

/** Answers an offer of sound of a page. */
type Answerer = (page: string, offer: string) => Promise<string>;

type Seat = { -readonly [field in keyof Participant]: Participant[field] };

/** A page's place. */
interface Place {
  readonly page: string;
  readonly seat: Seat;
  /** Whether an application has taken it aside. */
  isHeld: boolean;
}

export class Hall {
  readonly received: ToServer[] = [];
  readonly seats = new Map<string, Seat>();
  /** Whether guests wait until they are let in. */
  hasLobby = false;
  guests = true;
  /** The reason for which nobody comes in any more. */
  closed: string | null = null;
  private readonly places = new Map<string, Place>();
  private readonly sockets = new Map<string, WebSocket>();
  private speaker: string | null = null;
  private hands = 0;
  private counted = 0;

  constructor(
    private readonly answerer: Answerer,
    private readonly relay: PictureRelay,
  ) {}

  isOpenTo(user: User | null): boolean {
    return this.guests || user !== null;
  }

  invitation(address: string | null, user: User | null): object | undefined {
    if (address !== ADDRESS) return undefined;
    const [startsAt, endsAt] = ["2026-11-27T14:00:00Z", "2026-11-27T15:00:00Z"];
    const meeting = { subject: SUBJECT, organizer: "John", startsAt, endsAt };
    return { meeting, user, guests: this.guests };
  }

  welcome(socket: WebSocket, page: string, user: User | null): void {
    this.sockets.set(page, socket);
    socket.on("close", () => {
      if (this.sockets.get(page) === socket) this.sockets.delete(page);
    });
    socket.on("message", (frame) => void this.hear(JSON.parse(String(frame)), page, user));
    const place = this.places.get(page);
    const state = place ? whereabouts(place) : "outside";
    this.say(page, { type: "welcome", state, you: place?.seat.id ?? null });
    if (place) this.tellRoster();
  }

  /** Somebody without a page, such as a telephone. */
  add(seat: Partial<Participant> & { readonly name: string }): string {
    this.counted += 1;
    const id = `p${this.counted}`;
    this.seats.set(id, { ...vacant(id), ...seat });
    this.tellRoster();
    return id;
  }

  change(id: string, changed: Partial<Participant>): void {
    const seat = this.seats.get(id);
    if (seat) Object.assign(seat, changed);
    this.tellRoster();
  }

  remove(id: string, reason: EndReason = "removed"): void {
    this.seats.delete(id);
    const place = this.placeOf(id);
    if (place) {
      this.places.delete(place.page);
      this.say(place.page, { type: "ended", reason });
    }
    this.tellRoster();
  }

  speak(id: string | null): void {
    this.speaker = id;
    for (const page of this.inside) this.say(page, { type: "speaker", participant: id });
  }

  /** Somebody is taken aside, or comes back. */
  hold(id: string, isHeld: boolean): void {
    const place = this.placeOf(id);
    if (!place) return;
    place.isHeld = isHeld;
    this.say(place.page, { type: "state", state: whereabouts(place), you: id });
  }

  deny(message: string): void {
    for (const page of this.sockets.keys()) this.say(page, { type: "denied", message });
  }

  /** By the name that is shown. */
  named(name: string): string {
    const found = [...this.seats.values()].find((seat) => seat.name === name);
    if (!found) throw new Error(`${name} is not there`);
    return found.id;
  }

  cut(): void {
    for (const socket of this.sockets.values()) socket.terminate();
  }

  /** Nobody's place is kept any more. */
  forget(): void {
    this.places.clear();
    this.seats.clear();
  }

  private get inside(): readonly string[] {
    return [...this.places.values()].filter(({ seat }) => !seat.isInLobby).map(({ page }) => page);
  }

  private async hear(message: ToServer, page: string, user: User | null): Promise<void> {
    this.received.push(message);
    if (message.type === "join") return this.join(message, page, user);
    const place = this.places.get(page);
    if (!place) return;
    switch (message.type) {
      case "offer":
        return this.answer(page, message.sdp);
      case "pictures": {
        const sdp = await this.relay.answer(page, message.sdp).catch(() => null);
        if (sdp !== null) this.say(page, { type: "pictures", sdp });
        return;
      }
      case "watch": {
        const pages = message.tiles.map((tile) => ({
          ...tile,
          page: this.placeOf(tile.participant)?.page ?? "",
        }));
        return this.relay.watch(page, pages).catch(() => {});
      }
      case "leave":
        return this.remove(place.seat.id, "left");
      case "camera":
        return this.change(place.seat.id, { camera: message.on });
      case "screen":
        return this.screen(place.seat.id, message.on);
      case "mute":
        return this.change(place.seat.id, { isMuted: message.muted });
      case "hand":
        this.hands += 1;
        return this.change(place.seat.id, { hand: message.raised ? this.hands : null });
      case "admit":
        return this.admit(message.participant);
      case "remove":
        return this.remove(
          message.participant,
          this.seats.get(message.participant)?.isInLobby ? "notAdmitted" : "removed",
        );
      case "muteOther":
        return this.change(message.participant, { isMuted: true });
    }
  }

  private async join(
    { name, sdp }: ToServer & { type: "join" },
    page: string,
    user: User | null,
  ): Promise<void> {
    if (this.closed) return this.say(page, { type: "refused", of: "join", message: this.closed });
    this.counted += 1;
    const id = `p${this.counted}`;
    const seat: Seat = {
      ...vacant(id),
      name: user?.name ?? name,
      kind: user ? "user" : "guest",
      role: user ? "organizer" : "attendee",
      isInLobby: this.hasLobby && user === null,
    };
    this.seats.set(id, seat);
    const place = { page, seat, isHeld: false };
    this.places.set(page, place);
    await this.answer(page, sdp);
    this.say(page, { type: "state", state: whereabouts(place), you: id });
    this.tellRoster();
    if (this.speaker) this.say(page, { type: "speaker", participant: this.speaker });
  }

  private async answer(page: string, offer: string): Promise<void> {
    // A test that is over has closed the far side.
    const sdp = await this.answerer(page, offer).catch(() => null);
    if (sdp !== null) this.say(page, { type: "answer", sdp });
  }

  private admit(id: string | undefined): void {
    for (const seat of this.seats.values()) {
      if (!seat.isInLobby || (id !== undefined && seat.id !== id)) continue;
      seat.isInLobby = false;
      const place = this.placeOf(seat.id);
      if (place) this.say(place.page, { type: "state", state: "in", you: seat.id });
    }
    this.tellRoster();
  }

  private screen(id: string, on: boolean): void {
    for (const seat of this.seats.values()) if (on) seat.screen = false;
    this.change(id, { screen: on });
  }

  private placeOf(id: string): Place | undefined {
    return [...this.places.values()].find(({ seat }) => seat.id === id);
  }

  private tellRoster(): void {
    const people = [...this.seats.values()];
    for (const { page, seat } of this.places.values()) {
      const seen = seat.isInLobby ? [seat] : people;
      this.say(page, { type: "roster", people: seen });
    }
  }

  private say(page: string, message: FromServer): void {
    this.sockets.get(page)?.send(JSON.stringify(message));
  }
}

function whereabouts({ seat, isHeld }: Place): Whereabouts {
  if (seat.isInLobby) return "lobby";
  return isHeld ? "held" : "in";
}

function vacant(id: string): Seat {
  return {
    id,
    name: "",
    kind: "user",
    role: "presenter",
    isMuted: false,
    isInLobby: false,
    hand: null,
    camera: false,
    screen: false,
  };
}
