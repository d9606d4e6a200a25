/** Which tiles are shown, how large, and on which line each picture comes: decisions only. */

import type { Participant, PictureKind } from "./protocol";
import { inside } from "./roster";
import type { Visit } from "./visit";

/** As many lines receive pictures. */
export const MAX_TILES = 16;

/** Between tiles, in pixels; also in the style sheet. */
export const GAP = 10;

const RATIO = 16 / 9;

/** Smaller than this, in pixels, nobody is recognized. */
const MIN_TILE_WIDTH = 132;

/** Beside a screen, in pixels. */
const STRIP_WIDTH = 200;
const STRIP_TILE_HEIGHT = 80;

/** From this width on, in pixels, tiles stand beside a screen and not below it. */
const WIDE = 720;

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Stage {
  /** Whose screen is shown large. */
  readonly screen: Participant | null;
  readonly screenSize: Size;
  /** Whether the tiles stand beside the screen. */
  readonly isBeside: boolean;
  readonly tiles: readonly Participant[];
  /** Of each tile. */
  readonly tileSize: Size;
  /** How many people have no tile. */
  readonly hidden: number;
}

/** Lays out the people of a meeting in a room of this size, in pixels. */
export function arrange(visit: Visit, room: Size): Stage {
  const people = inside(visit.people);
  const screen = people.find((one) => one.id !== visit.you && hasScreen(one)) ?? null;
  return screen ? besideScreen(visit, people, room, screen) : grid(visit, people, room);
}

/** Whether there is a picture of somebody's screen; bots that share send none. */
function hasScreen({ screen, kind }: Participant): boolean {
  return screen && kind !== "application";
}

function grid(visit: Visit, people: readonly Participant[], room: Size): Stage {
  let count = Math.min(people.length, MAX_TILES);
  while (count > 1 && tileIn(count, room).width < MIN_TILE_WIDTH) count -= 1;
  return {
    screen: null,
    screenSize: { width: 0, height: 0 },
    isBeside: false,
    tiles: chosen(visit, people, count),
    tileSize: tileIn(count, room),
    hidden: people.length - count,
  };
}

function besideScreen(
  visit: Visit,
  people: readonly Participant[],
  room: Size,
  screen: Participant,
): Stage {
  const isBeside = room.width >= WIDE;
  const tileSize = isBeside
    ? { width: STRIP_WIDTH, height: Math.floor(STRIP_WIDTH / RATIO) }
    : { width: Math.floor(STRIP_TILE_HEIGHT * RATIO), height: STRIP_TILE_HEIGHT };
  const fitting = isBeside
    ? (room.height + GAP) / (tileSize.height + GAP)
    : (room.width + GAP) / (tileSize.width + GAP);
  // One line is that of the screen.
  const count = Math.max(1, Math.min(Math.floor(fitting), people.length, MAX_TILES - 1));
  const screenSize = isBeside
    ? { width: room.width - STRIP_WIDTH - GAP, height: room.height }
    : { width: room.width, height: room.height - STRIP_TILE_HEIGHT - GAP };
  const tiles = chosen(visit, people, count);
  return { screen, screenSize, isBeside, tiles, tileSize, hidden: people.length - count };
}

/** The largest tile of which `count` fit into a room. */
export function tileIn(count: number, { width, height }: Size): Size {
  let best = 0;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const across = (width - GAP * (columns - 1)) / columns;
    const down = ((height - GAP * (rows - 1)) / rows) * RATIO;
    best = Math.max(best, Math.min(across, down));
  }
  return { width: Math.floor(best), height: Math.floor(best / RATIO) };
}

/**
 * Those who get one of `count` tiles: others who speak or spoke last, then those who are seen, then the first; in the order
 * in which they came.
 */
function chosen(
  visit: Visit,
  people: readonly Participant[],
  count: number,
): readonly Participant[] {
  if (people.length <= count) return people;
  const spoke = visit.spoke.filter((id) => id !== visit.you);
  const later = (one: Participant) => {
    const place = spoke.indexOf(one.id);
    if (place >= 0) return place;
    return spoke.length + (one.camera ? 0 : 1);
  };
  const ranked = [...people].sort((a, b) => later(a) - later(b));
  const taken = new Set(ranked.slice(0, count));
  return people.filter((one) => taken.has(one));
}

/** A picture that is to be seen. */
export interface Wanted {
  readonly participant: string;
  readonly kind: PictureKind;
  /** In pixels of the display. */
  readonly height: number;
}

/** The pictures that a stage shows of others. `density` is pixels of the display for each of the page. */
export function pictures(stage: Stage, you: string | null, density: number): readonly Wanted[] {
  const pixels = (size: Size) => Math.max(1, Math.round(size.height * density));
  const seen = stage.tiles.filter((one) => one.camera && one.id !== you);
  const cameras = seen.map(
    ({ id }): Wanted => ({ participant: id, kind: "camera", height: pixels(stage.tileSize) }),
  );
  if (!stage.screen) return cameras;
  const screen: Wanted = {
    participant: stage.screen.id,
    kind: "screen",
    height: pixels(stage.screenSize),
  };
  return [screen, ...cameras];
}

/** A line that receives, and what it was last asked to show. */
export interface Line {
  readonly mid: string;
  readonly shows: Wanted | null;
  /** When it was last given up, counted in turns. */
  readonly freed: number;
}

/**
 * Gives each wanted picture a line, and leaves those that have one where they are.
 *
 * The line that has been free for longest is taken first: on one given up just now, pictures of somebody else may still
 * arrive, and nobody is to be seen under another's name.
 */
export function assign(
  lines: readonly Line[],
  wanted: readonly Wanted[],
  turn: number,
): readonly Line[] {
  const kept = lines.map((line): Line => {
    if (!line.shows) return line;
    const still = wanted.find((one) => isSame(one, line.shows));
    return still ? { ...line, shows: still } : { ...line, shows: null, freed: turn };
  });
  const missing = wanted.filter((one) => !kept.some(({ shows }) => isSame(one, shows)));
  const free = kept.filter(({ shows }) => !shows).sort((a, b) => a.freed - b.freed);
  return kept.map((line) => {
    const place = free.indexOf(line);
    const next = place < 0 ? undefined : missing[place];
    return next ? { ...line, shows: next } : line;
  });
}

function isSame(one: Wanted, other: Wanted | null): boolean {
  return one.participant === other?.participant && one.kind === other.kind;
}
