/** Every screen of a page, light and dark, wide and narrow: held against what axe knows, and left as pictures. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch, open } from "./browser";

/** Where pictures of the pages are left for people to look at; nowhere, if it is not said. */
const SCREENSHOTS = process.env["SCREENSHOTS"];

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const SIZES = { wide: { width: 1100, height: 760 }, narrow: { width: 320, height: 640 } } as const;

export interface Show {
  readonly address: string;
  /** Goes from screen to screen, and calls `look` at each. */
  readonly tour: (page: Page, look: (name: string) => Promise<void>) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Declares the tests of a page. */
export function looks(kind: string, begin: (browser: Browser) => Promise<Show>): void {
  let folder: string;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "hookswitch-web-"));
    if (SCREENSHOTS) mkdirSync(SCREENSHOTS, { recursive: true });
    browser = await launch(folder);
  });

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  describe.each(["light", "dark"] as const)("in the %s", (colorScheme) => {
    it.each(["wide", "narrow"] as const)(
      `the %s ${kind} can be used by everybody`,
      async (size) => {
        const show = await begin(browser);
        const options = { colorScheme, viewport: SIZES[size], reducedMotion: "reduce" } as const;
        const { page, complaints } = await open(browser, show.address, options);
        const found: string[] = [];
        await show.tour(page, async (name) => {
          if (SCREENSHOTS) {
            const path = join(SCREENSHOTS, `${kind}-${name}-${colorScheme}-${size}.png`);
            await page.screenshot({ path, fullPage: true });
          }
          found.push(...(await barriers(page)).map((barrier) => `${name}: ${barrier}`));
          const width = await page.evaluate(() => document.documentElement.scrollWidth);
          if (width > SIZES[size].width) found.push(`${name}: is ${width} pixels wide`);
        });
        await Promise.all(browser.contexts().map((context) => context.close()));
        await show.stop();
        expect(found).toEqual([]);
        expect(complaints).toEqual([]);
      },
      120_000,
    );
  });
}

/** What axe finds serious. */
async function barriers(page: Page): Promise<string[]> {
  const isThere = await page.evaluate(() => "axe" in window);
  // Through the debugger, not as a script of the page, whose policy forbids others.
  if (!isThere) await page.evaluate(readFileSync(AXE, "utf8"));
  const results = await page.evaluate(() =>
    (window as unknown as { axe: { run: () => Promise<AxeResults> } }).axe.run(),
  );
  return results.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical" || impact === "moderate")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id} at ${node.html.slice(0, 120)}`));
}
