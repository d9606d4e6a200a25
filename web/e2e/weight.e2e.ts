import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const DIST = join(import.meta.dirname, "../dist");

/** Compressed, with everything that it loads. */
const MAX_PAGE_BYTES = 150 * 1024;

const PAGES = readdirSync(DIST).filter((name) => name.endsWith(".html"));

describe("the pages", () => {
  it("are there", () => {
    expect(PAGES).toEqual(expect.arrayContaining(["console.html", "meeting.html", "phone.html"]));
  });

  it.each(PAGES)("%s is light", (page) => {
    const files = [...loadedBy(page)];
    // At the least: itself, a script and a style sheet.
    expect(files.length).toBeGreaterThan(2);
    expect(files.reduce((sum, file) => sum + bytes(file), 0)).toBeLessThan(MAX_PAGE_BYTES);
  });
});

/** A file and all that it names, and that those name. */
function loadedBy(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  if (!/\.(html|js|css)$/.test(file)) return found;
  const text = readFileSync(join(DIST, file), "utf8");
  for (const name of readdirSync(join(DIST, "assets"))) {
    if (!/\.(br|gz)$/.test(name) && text.includes(name)) loadedBy(`assets/${name}`, found);
  }
  return found;
}

/** Compressed where that was worth it. */
function bytes(file: string): number {
  const isCompressed = statSync(join(DIST, `${file}.gz`), { throwIfNoEntry: false });
  return (isCompressed ?? statSync(join(DIST, file))).size;
}
