/** The connection of the pictures, and which picture comes on which of its lines. */

import { signal } from "@preact/signals";
import type { ConnectionListener } from "../common/connection";
import { Pictures } from "./pictures";
import type { PictureKind, ToServer } from "./protocol";
import { assign, type Line, type Wanted } from "./stage";
import type { How } from "./visit";

/** What the page shows changes often while a window is drawn larger; the server hears of the end of it. */
const SETTLED_MS = 200;

export type OwnPictures = { readonly [kind in PictureKind]: MediaStreamTrack | null };

export class Gallery {
  /** The pictures that come, by `pictureKey`. */
  readonly streams = signal<ReadonlyMap<string, MediaStream>>(new Map());

  private pictures: Pictures | undefined;
  private readonly media = new Map<string, MediaStream>();
  private lines: readonly Line[] = [];
  private wanted: readonly Wanted[] = [];
  private turn = 0;
  private said = "";
  private settling: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly send: (message: ToServer) => void) {}

  /** An offer of pictures with one's own in it; `null` where a later one has overtaken it. */
  async offer(how: How, own: OwnPictures, listener: ConnectionListener): Promise<string | null> {
    if (how === "fresh") this.reset();
    const pictures = this.pictures ?? new Pictures(listener);
    this.pictures = pictures;
    await Promise.all([pictures.show("camera", own.camera), pictures.show("screen", own.screen)]);
    const sdp = await pictures.offer(true);
    if (pictures !== this.pictures) return null;
    if (this.lines.length === 0) this.begin(pictures);
    return sdp;
  }

  /** Takes the answer, and says at once what is to be shown: the server may have forgotten. */
  async answer(sdp: string): Promise<void> {
    const { pictures } = this;
    if (!pictures) return;
    await pictures.answer(sdp);
    if (pictures !== this.pictures) return;
    this.said = "";
    this.tell();
  }

  async show(kind: PictureKind, track: MediaStreamTrack | null): Promise<void> {
    await this.pictures?.show(kind, track);
  }

  /** What the page shows of others. */
  watch(wanted: readonly Wanted[]): void {
    this.wanted = wanted;
    this.hang();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.tell(), SETTLED_MS);
  }

  close(): void {
    clearTimeout(this.settling);
    this.reset();
    this.wanted = [];
  }

  private reset(): void {
    this.pictures?.close();
    this.pictures = undefined;
    this.lines = [];
    this.media.clear();
    this.said = "";
    this.streams.value = new Map();
  }

  private begin(pictures: Pictures): void {
    const received = pictures.received;
    for (const { mid, track } of received) this.media.set(mid, new MediaStream([track]));
    this.lines = received.map(({ mid }) => ({ mid, shows: null, freed: 0 }));
    this.hang();
  }

  private hang(): void {
    this.turn += 1;
    this.lines = assign(this.lines, this.wanted, this.turn);
    const streams = new Map<string, MediaStream>();
    for (const { mid, shows } of this.lines) {
      const stream = this.media.get(mid);
      if (shows && stream) streams.set(pictureKey(shows.kind, shows.participant), stream);
    }
    if (!isSame(streams, this.streams.value)) this.streams.value = streams;
  }

  private tell(): void {
    if (!this.pictures?.isAnswered) return;
    const tiles = this.lines.flatMap(({ mid, shows }) =>
      shows
        ? [{ line: mid, participant: shows.participant, kind: shows.kind, height: shows.height }]
        : [],
    );
    const said = JSON.stringify(tiles);
    if (said === this.said) return;
    this.said = said;
    this.send({ type: "watch", tiles });
  }
}

export function pictureKey(kind: PictureKind, participant: string): string {
  return `${kind} ${participant}`;
}

function isSame(
  one: ReadonlyMap<string, MediaStream>,
  other: ReadonlyMap<string, MediaStream>,
): boolean {
  return one.size === other.size && [...one].every(([key, stream]) => other.get(key) === stream);
}
