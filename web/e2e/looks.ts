/** Every screen of a page, light and dark, wide and narrow: held against what axe knows, and left as pictures. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults, RunOptions } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { expect, it, onTestFinished } from "vitest";
import { connect, open } from "./browser";

/** Where pictures of the pages are left for people to look at; nowhere, if it is not said. */
const SCREENSHOTS = process.env["SCREENSHOTS"];

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const SIZES = { wide: { width: 1100, height: 760 }, narrow: { width: 320, height: 640 } } as const;

interface View {
  readonly colorScheme: "light" | "dark";
  readonly size: keyof typeof SIZES;
  /** Whether the page is measured in it: each colour and each size are once, and the others only give pictures. */
  readonly isMeasured: boolean;
}

const FIRST: View = { colorScheme: "light", size: "narrow", isMeasured: true };

const VIEWS: readonly View[] = [
  FIRST,
  { colorScheme: "dark", size: "narrow", isMeasured: false },
  { colorScheme: "dark", size: "wide", isMeasured: true },
  { colorScheme: "light", size: "wide", isMeasured: false },
];

export interface Show {
  readonly address: string;
  /** Goes from screen to screen, and calls `look` at each. */
  readonly tour: (page: Page, look: (name: string) => Promise<void>) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Declares the test of a page: one tour, on a narrow screen, with each of its screens looked at in every view. */
export function looks(kind: string, begin: (browser: Browser) => Promise<Show>): void {
  it(`the ${kind} can be used by everybody, light and dark, wide and narrow`, async () => {
    const browser = await connect();
    onTestFinished(() => browser.close());
    const show = await begin(browser);
    onTestFinished(show.stop);
    const { page, complaints } = await open(browser, show.address, {
      colorScheme: FIRST.colorScheme,
      viewport: SIZES[FIRST.size],
      reducedMotion: "reduce",
    });
    const found: string[] = [];
    await show.tour(page, async (name) => {
      for (const view of VIEWS.filter(({ isMeasured }) => isMeasured || SCREENSHOTS)) {
        await turn(page, view);
        const title = `${name}-${view.colorScheme}-${view.size}`;
        const path = SCREENSHOTS && join(SCREENSHOTS, `${kind}-${title}.png`);
        if (path) await page.screenshot({ path, fullPage: true });
        const problems = view.isMeasured ? await problemsOf(page, view) : [];
        found.push(...problems.map((problem) => `${title}: ${problem}`));
      }
      await turn(page, FIRST);
    });
    expect(found).toEqual([]);
    expect(complaints).toEqual([]);
  }, 240_000);
}

async function problemsOf(page: Page, { size }: View): Promise<string[]> {
  const found = await barriers(page);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  return width > SIZES[size].width ? [...found, `is ${width} pixels wide`] : found;
}

/** Shows the page otherwise, and waits until it is laid out and painted so. */
async function turn(page: Page, { colorScheme, size }: View): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize(SIZES[size]);
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
}

/** What axe finds serious. */
async function barriers(page: Page): Promise<string[]> {
  const isThere = await page.evaluate(() => "axe" in window);
  // Through the debugger, not as a script of the page, whose policy forbids others.
  if (!isThere) await page.evaluate(readFileSync(AXE, "utf8"));
  const results = await page.evaluate(() => {
    type Axe = { run: (options: RunOptions) => Promise<AxeResults> };
    return (window as unknown as { axe: Axe }).axe.run({ resultTypes: ["violations"] });
  });
  return results.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical" || impact === "moderate")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id} at ${node.html.slice(0, 120)}`));
}
