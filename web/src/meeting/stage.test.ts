import { describe, expect, it } from "vitest";
import type { Participant } from "./protocol";
import {
  arrange,
  assign,
  type Line,
  MAX_TILES,
  pictures,
  type Stage,
  tileIn,
  type Wanted,
} from "./stage";
import { BEFORE, type Visit } from "./visit";

const ROOM = { width: 1068, height: 600 };

function person(id: string, more: Partial<Participant> = {}): Participant {
  return {
    id,
    name: id,
    kind: "user",
    role: "presenter",
    isMuted: false,
    isInLobby: false,
    hand: null,
    camera: true,
    screen: false,
    ...more,
  };
}

function crowd(count: number, ...more: Participant[]): Participant[] {
  return [...Array.from({ length: count }, (_, index) => person(`p${index}`)), ...more];
}

function visit(people: readonly Participant[], more: Partial<Visit> = {}): Visit {
  return { ...BEFORE, stage: "in", you: "p0", people, ...more };
}

const shown = (stage: Stage) => stage.tiles.map(({ id }) => id);

describe("a tile", () => {
  it("is as large as fits so often", () => {
    expect(tileIn(1, { width: 1600, height: 900 })).toEqual({ width: 1600, height: 900 });
    expect(tileIn(1, { width: 1600, height: 450 })).toEqual({ width: 800, height: 450 });
    // Two stand beside each other in a wide room, and one above the other in a high one.
    expect(tileIn(2, { width: 1610, height: 450 }).width).toBe(800);
    expect(tileIn(2, { width: 320, height: 600 }).width).toBe(320);
  });

  it("fits into rooms of all sizes", () => {
    for (let count = 1; count <= MAX_TILES; count += 1) {
      for (const room of [ROOM, { width: 300, height: 460 }, { width: 900, height: 120 }]) {
        const { width, height } = tileIn(count, room);
        const columns = Math.max(1, Math.floor((room.width + 10) / (width + 10)));
        const rows = Math.ceil(count / columns);
        expect(rows * (height + 10) - 10).toBeLessThanOrEqual(room.height);
        expect(width).toBeLessThanOrEqual(room.width);
      }
    }
  });

  it("has no size in a room that has none", () => {
    expect(tileIn(3, { width: 0, height: 0 })).toEqual({ width: 0, height: 0 });
  });
});

describe("people", () => {
  it("all have a tile while they are few, and those in the lobby have none", () => {
    const stage = arrange(visit(crowd(3, person("x", { isInLobby: true }))), ROOM);
    expect(shown(stage)).toEqual(["p0", "p1", "p2"]);
    expect(stage.hidden).toBe(0);
  });

  it("who are too many are chosen by when they spoke, and keep their order", () => {
    const stage = arrange(visit(crowd(40), { spoke: ["p39", "p20"] }), ROOM);
    const first = Array.from({ length: 14 }, (_, index) => `p${index}`);
    expect(shown(stage)).toEqual([...first, "p20", "p39"]);
    expect(stage.hidden).toBe(24);
  });

  it("who are seen come before those who are not, and oneself", () => {
    const unseen = { camera: false };
    const bot = person("bot", { ...unseen, kind: "application" });
    const sharing = person("s", { screen: true });
    const people = [bot, person("p0", unseen), sharing];
    const stage = arrange(visit(people, { spoke: ["p0"] }), { width: 300, height: 500 });
    expect(shown(stage)).toEqual(["bot", "s"]);
    expect(stage.hidden).toBe(1);
  });

  it("are fewer where there is little room", () => {
    const stage = arrange(visit(crowd(40)), { width: 300, height: 400 });
    expect(stage.tiles).toHaveLength(8);
    expect(stage.tileSize.width).toBeGreaterThanOrEqual(132);
  });
});

describe("a screen", () => {
  const sharing = person("s", { screen: true });

  it("is large, with people beside it", () => {
    const stage = arrange(visit(crowd(30, sharing), { spoke: ["s"] }), ROOM);
    expect(stage.screen?.id).toBe("s");
    expect(stage.screenSize).toEqual({ width: 858, height: 600 });
    expect(shown(stage)).toEqual(["p0", "p1", "p2", "p3", "s"]);
    expect(stage.hidden).toBe(26);
  });

  it("has people below it where there is little room", () => {
    const stage = arrange(visit(crowd(3, sharing)), { width: 300, height: 400 });
    expect(stage.isBeside).toBe(false);
    expect(stage.screenSize).toEqual({ width: 300, height: 310 });
    expect(shown(stage)).toEqual(["p0", "p1"]);
  });

  it("of a bot is not waited for, as bots send no pictures", () => {
    const bot = person("b", { screen: true, kind: "application", camera: false });
    const alone = arrange(visit(crowd(2, bot)), ROOM);
    expect(alone.screen).toBeNull();
    expect(shown(alone)).toEqual(["p0", "p1", "b"]);
    expect(pictures(alone, "p0", 1).map(({ kind }) => kind)).toEqual(["camera"]);
    expect(arrange(visit(crowd(2, bot, sharing)), ROOM).screen?.id).toBe("s");
  });

  it("of one's own is not shown to oneself", () => {
    const people = crowd(2, sharing);
    expect(arrange(visit(people, { you: "s" }), ROOM).screen).toBeNull();
  });
});

describe("pictures", () => {
  it("are wanted of others whose camera is on, as high as they are shown", () => {
    const people = [
      person("p0"),
      person("a"),
      person("b", { camera: false }),
      person("s", { screen: true }),
    ];
    const stage = arrange(visit(people), ROOM);
    expect(pictures(stage, "p0", 2)).toEqual([
      { participant: "s", kind: "screen", height: 1200 },
      { participant: "a", kind: "camera", height: 224 },
      { participant: "s", kind: "camera", height: 224 },
    ]);
  });

  it("are never more than there are lines", () => {
    const people = crowd(60, person("s", { screen: true }));
    const stage = arrange(visit(people), { width: 4000, height: 4000 });
    expect(pictures(stage, null, 1)).toHaveLength(MAX_TILES);
  });
});

describe("lines", () => {
  const camera = (participant: string, height = 180): Wanted => ({
    participant,
    kind: "camera",
    height,
  });
  const free = (...mids: string[]): Line[] => mids.map((mid) => ({ mid, shows: null, freed: 0 }));
  const seen = (lines: readonly Line[]) =>
    lines.map(({ shows }) => shows?.participant ?? "-").join("");

  it("are taken one after the other, and kept", () => {
    const first = assign(free("2", "3", "4"), [camera("a"), camera("b")], 1);
    expect(seen(first)).toBe("ab-");
    const later = assign(first, [camera("b", 360), camera("c")], 2);
    expect(seen(later)).toBe("-bc");
    expect(later[1]?.shows?.height).toBe(360);
  });

  it("given up just now are taken last: what still comes on them shows somebody else", () => {
    let lines = assign(free("2", "3", "4"), [camera("a"), camera("b")], 1);
    lines = assign(lines, [camera("b")], 2);
    lines = assign(lines, [camera("b"), camera("c")], 3);
    expect(seen(lines)).toBe("-bc");
    lines = assign(lines, [camera("b"), camera("c"), camera("d")], 4);
    expect(seen(lines)).toBe("dbc");
  });

  it("tell a screen from a camera of the same person", () => {
    const screen: Wanted = { participant: "a", kind: "screen", height: 600 };
    const lines = assign(assign(free("2", "3"), [screen], 1), [screen, camera("a")], 2);
    expect(lines.map(({ shows }) => shows?.kind)).toEqual(["screen", "camera"]);
  });

  it("that are too few leave out the last", () => {
    expect(seen(assign(free("2"), [camera("a"), camera("b")], 1))).toBe("a");
  });
});
