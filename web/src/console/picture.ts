/** Where the parts of a timeline are drawn, in pixels. */

import { type Tick, ticks } from "./axis";
import type { Item, Story } from "./story";

export interface DrawnItem {
  readonly item: Item;
  readonly x: number;
  readonly width: number;
  /** The middle of its row. */
  readonly y: number;
  /** What is written, cut to what there is room for; empty for nothing. */
  readonly label: string;
  readonly isInside: boolean;
  readonly dots: readonly { readonly x: number; readonly kind: Item["kind"] }[];
}

export interface DrawnLane {
  readonly name: string;
  readonly top: number;
  readonly height: number;
  readonly items: readonly DrawnItem[];
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly lanes: readonly DrawnLane[];
  readonly ticks: readonly (Tick & { readonly x: number })[];
}

export const ROW = 24;
/** The height of the axis at the top. */
export const AXIS = 26;
/** The strip above the rows of a lane, in which its name is. */
export const HEAD = 20;
const GAP = 6;
/** Room at both ends, so that what is there can be seen whole. */
const EDGE = 16;
/** Letters are at most about so wide at the size in which labels are written. */
const LETTER = 6.6;
/** More rows would push the rest out of sight; what there is no room for is only counted. */
const MAX_ROWS = 6;
/** Ticks closer than this are one to the eye. */
const TICKS_MELT = 1.5;
/** Closer ticks would not be read. */
const TICKS_APART = 84;
/** Wider ones browsers draw slowly. */
const MAX_WIDTH = 40_000;
const MAX_LABEL = 40;

/** How often a picture can be made twice as wide as the room that there is. */
export function zooms(room: number): readonly number[] {
  return [1, 2, 4, 8, 16, 32, 64, 128].filter((zoom) => room * zoom <= MAX_WIDTH);
}

/** Draws a story so that it is `width` pixels wide. */
export function draw(story: Story, width: number): Picture {
  const length = story.to - story.from;
  const inner = Math.max(1, width - 2 * EDGE);
  const place = (at: number) => EDGE + ((at - story.from) / length) * inner;
  const lanes: DrawnLane[] = [];
  let top = AXIS;
  for (const { name, items } of story.lanes) {
    const drawn = drawLane(items, { place, end: story.to, right: width, top: top + HEAD });
    const rows = Math.max(1, ...drawn.map(({ row }) => row + 1));
    const height = HEAD + rows * ROW + GAP;
    lanes.push({ name, top, height, items: drawn.map(({ drawn }) => drawn) });
    top += height;
  }
  const marked = ticks(length, inner, TICKS_APART).map((tick) => ({
    ...tick,
    x: place(story.from + tick.at),
  }));
  return { width, height: top, lanes, ticks: marked };
}

interface Canvas {
  readonly place: (at: number) => number;
  readonly end: number;
  readonly right: number;
  readonly top: number;
}

interface InRow {
  readonly drawn: DrawnItem;
  readonly row: number;
}

function drawLane(items: readonly Item[], canvas: Canvas): readonly InRow[] {
  /** Where each row is free from. */
  const free: number[] = [];
  const drawn: InRow[] = [];
  /** What lies where there is no room, in the last row, from where it begins. */
  const piles: { readonly from: number; readonly items: Item[] }[] = [];
  for (const item of [...items].sort((a, b) => a.from - b.from)) {
    const shape = outline(item, canvas);
    const isMelted = item.shape === "tick" && shape.x < (free[item.row ?? 0] ?? 0);
    const row = item.row ?? firstFree(free, shape.x);
    if (isMelted) continue;
    if (row === undefined) {
      const pile = piles.at(-1);
      if (pile && shape.x < pile.from + PILE_WIDTH) pile.items.push(item);
      else piles.push({ from: shape.x, items: [item] });
      continue;
    }
    free[row] = Math.max(free[row] ?? 0, shape.until);
    drawn.push(inRow(item, shape, row, canvas));
  }
  const left = piles.map(({ items }) => pileOf(items));
  return [
    ...drawn,
    ...left.map((item) => inRow(item, outline(item, canvas), MAX_ROWS - 1, canvas)),
  ];
}

function inRow(item: Item, shape: Outline, row: number, { top }: Canvas): InRow {
  const { x, width, label, isInside, dots } = shape;
  return { row, drawn: { item, x, width, y: top + row * ROW + ROW / 2, label, isInside, dots } };
}

/** The last row is that of piles. */
function firstFree(free: readonly number[], from: number): number | undefined {
  for (let row = 0; row < MAX_ROWS - 1; row += 1) if ((free[row] ?? 0) <= from) return row;
  return undefined;
}

/** How wide a pile may be at the most, with as many as there can be in it. */
const PILE_WIDTH = 50;

/** Stands for all that there is no room for at a place. */
function pileOf(items: readonly Item[]): Item {
  const at = items[0]?.from ?? 0;
  const title = `${items.length} more: a larger picture shows them`;
  const label = `+${items.length}`;
  const nothing = { target: null, dots: [], row: MAX_ROWS - 1 };
  return { ...nothing, shape: "pin", kind: "plain", from: at, to: at, label, title };
}

interface Outline extends Pick<DrawnItem, "x" | "width" | "label" | "isInside" | "dots"> {
  /** Where the next one in its row may begin. */
  readonly until: number;
}

/** The least width of a bar, so that it can be seen and pointed at. */
const THINNEST = 6;
const PIN_HEIGHT = 18;

function outline(item: Item, { place, end, right }: Canvas): Outline {
  const [x, to] = [place(item.from), place(item.to ?? Math.max(end, item.from))];
  const dots = item.dots.map(({ at, kind }) => ({ x: place(at), kind }));
  if (item.shape === "tick") {
    return { x, width: 0, label: "", isInside: false, dots, until: x + TICKS_MELT };
  }
  const text = shortened(item.label, MAX_LABEL);
  if (item.shape === "pin") {
    const width = Math.max(PIN_HEIGHT, text.length * LETTER + 10);
    // A pin begins where it belongs, unless it would not be seen whole there.
    const left = Math.max(0, Math.min(x - PIN_HEIGHT / 2, right - width - 2));
    const until = Math.max(left + width, to + PIN_HEIGHT / 2) + 4;
    return { x: left, width, label: text, isInside: true, dots, until };
  }
  const width = Math.max(THINNEST, to - x);
  const wanted = text.length * LETTER + 12;
  if (wanted <= width || item.row !== null) {
    const fitting = shortened(text, Math.floor((width - 12) / LETTER));
    return { x, width, label: fitting, isInside: true, dots, until: x + width + 2 };
  }
  const isRoom = x + width + wanted <= right;
  const until = x + width + (isRoom ? wanted : 2);
  return { x, width, label: isRoom ? text : "", isInside: false, dots, until };
}

function shortened(text: string, most: number): string {
  const letters = [...text];
  if (letters.length <= most) return text;
  return most < 3 ? "" : `${letters.slice(0, most - 1).join("")}…`;
}
