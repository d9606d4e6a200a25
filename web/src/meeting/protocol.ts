/** What the page of a meeting and the server say to each other over the socket, version 1. */

import { isRecord, type Json, objectIn, oneOf, text, textOrNull } from "../common/json";

export const END_REASONS = [
  "left",
  "removed",
  "notAdmitted",
  "full",
  "locked",
  "over",
  "mediaLost",
  "failed",
] as const;
export type EndReason = (typeof END_REASONS)[number];

const PEOPLE_KINDS = ["user", "guest", "application", "phone"] as const;
const ROLES = ["organizer", "coorganizer", "presenter", "attendee"] as const;
const OFFERS = ["join", "offer", "pictures"] as const;

const WHEREABOUTS = ["lobby", "in", "held"] as const;
/** Where somebody is who has a place; `held` was taken aside by an application. */
export type Whereabouts = (typeof WHEREABOUTS)[number];

/** Somebody in the meeting, or in its lobby. */
export interface Participant {
  readonly id: string;
  readonly name: string;
  readonly kind: (typeof PEOPLE_KINDS)[number];
  readonly role: (typeof ROLES)[number] | null;
  /** What they say is heard by nobody. */
  readonly isMuted: boolean;
  readonly isInLobby: boolean;
  /** Raised hands are taken in the order of this number. */
  readonly hand: number | null;
  readonly camera: boolean;
  readonly screen: boolean;
}

export type PictureKind = "camera" | "screen";

/** A picture, and the line that it is to come on. */
export interface Tile {
  /** The mid of a line that receives. */
  readonly line: string;
  readonly participant: string;
  readonly kind: PictureKind;
  /** In pixels. */
  readonly height: number;
}

export type FromServer =
  | {
      readonly type: "welcome";
      readonly state: "outside" | Whereabouts;
      readonly you: string | null;
    }
  | { readonly type: "answer" | "pictures"; readonly sdp: string }
  | { readonly type: "refused"; readonly of: (typeof OFFERS)[number]; readonly message: string }
  | { readonly type: "state"; readonly state: Whereabouts; readonly you: string }
  | { readonly type: "roster"; readonly people: readonly Participant[] }
  | { readonly type: "speaker"; readonly participant: string | null }
  | { readonly type: "denied" | "error"; readonly message: string }
  | { readonly type: "ended"; readonly reason: EndReason };

export type ToServer =
  | { readonly type: "join"; readonly name: string; readonly sdp: string }
  | { readonly type: "offer" | "pictures"; readonly sdp: string }
  | { readonly type: "camera" | "screen"; readonly on: boolean }
  | { readonly type: "watch"; readonly tiles: readonly Tile[] }
  | { readonly type: "mute"; readonly muted: boolean }
  | { readonly type: "hand"; readonly raised: boolean }
  /** Without a participant: everybody who waits. */
  | { readonly type: "admit"; readonly participant?: string }
  | { readonly type: "remove" | "muteOther"; readonly participant: string }
  | { readonly type: "leave" };

/** Reads a frame of the server; `undefined` for one that is not understood, such as that of a later version. */
export function parse(frame: unknown): FromServer | undefined {
  const value = objectIn(frame);
  return value && read(value);
}

function read(value: Json): FromServer | undefined {
  const { type, state, you, sdp, reason, of } = value;
  switch (type) {
    case "welcome":
      if (state !== "outside" && !oneOf(WHEREABOUTS, state)) return undefined;
      return { type, state, you: textOrNull(you) };
    case "answer":
    case "pictures":
      return typeof sdp === "string" ? { type, sdp } : undefined;
    case "refused":
      return oneOf(OFFERS, of) ? { type, of, message: text(value.message) } : undefined;
    case "state":
      if (!oneOf(WHEREABOUTS, state) || typeof you !== "string") return undefined;
      return { type, state, you };
    case "roster":
      return roster(value.people);
    case "speaker":
      return { type, participant: textOrNull(value.participant) };
    case "denied":
    case "error":
      return { type, message: text(value.message) };
    case "ended":
      // Whoever is out for a reason of a later version is out all the same.
      return { type, reason: oneOf(END_REASONS, reason) ? reason : "failed" };
    default:
      return undefined;
  }
}

function roster(people: unknown): FromServer | undefined {
  if (!Array.isArray(people)) return undefined;
  return { type: "roster", people: people.map(participant).filter((one) => one !== null) };
}

function participant(value: unknown): Participant | null {
  if (!isRecord(value) || typeof value.id !== "string") return null;
  const { id, name, kind, role, hand } = value;
  return {
    id,
    name: text(name),
    kind: oneOf(PEOPLE_KINDS, kind) ? kind : "user",
    role: oneOf(ROLES, role) ? role : null,
    isMuted: value.isMuted === true,
    isInLobby: value.isInLobby === true,
    hand: typeof hand === "number" ? hand : null,
    camera: value.camera === true,
    screen: value.screen === true,
  };
}
