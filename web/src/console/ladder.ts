/** Where the messages of a call's SIP dialogs are drawn: a column for this server and for each peer, a row for each message. */

import { offset } from "./axis";
import type { SipMessage } from "./protocol";
import { messageName } from "./story";

export interface Column {
  readonly name: string;
  readonly x: number;
}

export interface Arrow {
  readonly message: SipMessage;
  /** What is written above it. */
  readonly label: string;
  /** Since the message before, where that is worth telling. */
  readonly pause: string;
  readonly y: number;
  readonly from: number;
  readonly to: number;
  /** Which of the dialogs it belongs to, counted from 0. */
  readonly dialog: number;
}

export interface Ladder {
  readonly width: number;
  readonly height: number;
  readonly columns: readonly Column[];
  readonly arrows: readonly Arrow[];
}

/** What the server is called in its column. */
const SERVER = "Hookswitch";

export const LADDER_ROW = 40;
export const LADDER_HEAD = 46;
/** Room for the times, room beside the last line for half of its name, and room between two lines for a message. */
interface Measures {
  readonly gutter: number;
  readonly edge: number;
  readonly apart: number;
}
const WIDE: Measures = { gutter: 84, edge: 84, apart: 190 };
const NARROW: Measures = { gutter: 62, edge: 58, apart: 130 };
/** With less room than that the narrow measures hold. */
const NARROW_ROOM = 420;
/** Letters are about so wide at the size in which messages are named. */
const LETTER = 7;
/** Shorter pauses are not told of. */
const PAUSE_MS = 1000;
/** Colours that the style sheet has for dialogs. */
export const DIALOG_COLOURS = 5;

/** Draws messages in no less than `room` pixels. */
export function ladder(messages: readonly SipMessage[], room: number): Ladder {
  const peers = [...new Set(messages.map(({ peer }) => peer))];
  const dialogs = [...new Set(messages.map(({ dialog }) => dialog))];
  const { gutter, edge, ...measures } = room < NARROW_ROOM ? NARROW : WIDE;
  const least = gutter + edge + measures.apart * peers.length;
  const width = Math.max(room, least);
  // A few columns are not drawn across a whole screen.
  const apart = Math.min(360, (width - gutter - edge) / Math.max(1, peers.length));
  const place = (column: number) => gutter + column * apart;
  const columns = [SERVER, ...peers].map((name, at) => ({ name, x: place(at) }));
  const arrows = messages.map((message, at) => {
    const before = messages[at - 1];
    const pause = before ? message.at - before.at : 0;
    const far = place(peers.indexOf(message.peer) + 1);
    return {
      message,
      label: fitting(messageName(message), Math.abs(far - gutter) - 16),
      pause: pause >= PAUSE_MS ? `+${offset(pause, 100)}` : "",
      y: LADDER_HEAD + at * LADDER_ROW + LADDER_ROW / 2 + 8,
      from: message.isSent ? gutter : far,
      to: message.isSent ? far : gutter,
      dialog: dialogs.indexOf(message.dialog) % DIALOG_COLOURS,
    };
  });
  const height = LADDER_HEAD + messages.length * LADDER_ROW + 16;
  return {
    width: Math.min(width, Math.max(least, place(peers.length) + edge)),
    height,
    columns,
    arrows,
  };
}

/** As much of a message's name as there is room for; the method that is answered goes first. */
function fitting(name: string, room: number): string {
  const most = Math.floor(room / LETTER);
  const short = name.length <= most ? name : name.replace(/ \([A-Z]+\)$/, "");
  return short.length <= most ? short : `${short.slice(0, Math.max(1, most - 1))}…`;
}

/** What a screen reader says of a message. */
export function arrowText({ message }: Arrow): string {
  const label = messageName(message);
  return message.isSent ? `${label}, sent to ${message.peer}` : `${label}, from ${message.peer}`;
}
