import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FarSide, launch, open } from "./browser";
import { ALICE, PASSWORD, StandIn } from "./standin";

/** Where pictures of the pages are left for people to look at; nowhere, if it is not said. */
const SCREENSHOTS = process.env["SCREENSHOTS"];

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

const SIZES = { wide: { width: 1100, height: 760 }, narrow: { width: 320, height: 640 } } as const;

/** Compressed, with everything that it loads. */
const MAX_PAGE_BYTES = 150 * 1024;

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

/** What anybody sees one after the other in a call; `look` is run at each. */
async function tour(
  page: Page,
  server: StandIn,
  look: (name: string) => Promise<void>,
): Promise<void> {
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  await page.getByLabel("Password").waitFor();
  await look("1-signed-out");
  await page.getByLabel("Name or address").fill("john");
  await page.getByLabel("Password").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByText(/password is wrong/).waitFor();
  await look("2-wrong-password");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText("Ready ·").waitFor();
  await look("3-idle");
  const call = server.ring(ALICE, "About lunch");
  await button("Answer").waitFor();
  await look("4-ringing");
  await button("Answer").click();
  await page.getByText("Connected", { exact: true }).waitFor();
  await look("5-in-call");
  await button("Keypad").click();
  await look("6-keypad");
  await button("Transfer").click();
  await look("7-transfer");
  server.ring({
    name: "Bob Brown-Featherstonehaugh of Contoso",
    address: "sip:bob@contoso.example",
  });
  await button("Answer").waitFor();
  await look("8-second-call");
  await button("Answer").click();
  await button("Resume Alice Adams").waitFor();
  await page.getByText("Connected", { exact: true }).waitFor();
  await look("9-two-calls");
  server.end(call, "hungUp");
  await page.getByText(/^00:0. ·/).waitFor();
  await button("Hang up").click();
  await page.getByLabel("Name, address or number").fill("nobody");
  await page.keyboard.press("Enter");
  await page
    .getByText(/There is nobody/)
    .first()
    .waitFor();
  await look("10-after-calls");
  await button("Settings").click();
  await page.getByRole("dialog").waitFor();
  await look("11-settings");
  await button("Done").click();
  server.takesSockets = false;
  server.cut();
  await page.getByText(/The server cannot be reached/).waitFor();
  await look("12-server-gone");
}

describe.each(["light", "dark"] as const)("in the %s", (colorScheme) => {
  it.each(["wide", "narrow"] as const)(
    "the %s phone can be used by everybody",
    async (size) => {
      let far: FarSide | undefined;
      const server = await StandIn.start(
        (call, offer) => far?.answer(call, offer) ?? Promise.reject(),
      );
      far = await FarSide.open(browser, `${server.origin}/far`);
      const options = { colorScheme, viewport: SIZES[size], reducedMotion: "reduce" } as const;
      const { page, complaints } = await open(browser, `${server.origin}/phone`, options);
      const found: string[] = [];
      await tour(page, server, async (name) => {
        if (SCREENSHOTS) {
          const path = join(SCREENSHOTS, `phone-${name}-${colorScheme}-${size}.png`);
          await page.screenshot({ path, fullPage: true });
        }
        found.push(...(await barriers(page)).map((barrier) => `${name}: ${barrier}`));
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        if (width > SIZES[size].width) found.push(`${name}: is ${width} pixels wide`);
      });
      await Promise.all(browser.contexts().map((context) => context.close()));
      await server.stop();
      expect(found).toEqual([]);
      expect(complaints).toEqual([]);
    },
    120_000,
  );
});

it("the page is light", () => {
  const dist = join(import.meta.dirname, "../dist");
  const files = readdirSync(join(dist, "assets")).filter((name) => name.endsWith(".gz"));
  const bytes = files.reduce((sum, name) => sum + statSync(join(dist, "assets", name)).size, 0);
  expect(bytes).toBeGreaterThan(0);
  expect(bytes + statSync(join(dist, "phone.html")).size).toBeLessThan(MAX_PAGE_BYTES);
});

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
