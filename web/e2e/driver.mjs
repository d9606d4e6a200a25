// @ts-check
/**
 * A browser for tests that are written in another language: reads commands as lines of JSON, and answers each by a line.
 *
 * A command is `{"id", "do", …}`; its answer `{"id", "value"}` or `{"id", "error"}`. What a page complains of is a line
 * `{"complaint"}`. The browser ends with the input, and the driver with the browser.
 */

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { prepare } from "./in_page.mjs";

/** Below what tests wait, so that it is known which page did what then. */
const PATIENCE_MS = 30_000;

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Where pictures of the pages are left for people to look at; nowhere, if it is not said. */
const SCREENSHOTS = process.env["SCREENSHOTS"];

const SIZES = { wide: { width: 1100, height: 760 }, narrow: { width: 320, height: 640 } };
const SCHEMES = /** @type {const} */ (["light", "dark"]);

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ ears: import("./in_page.mjs").Ears }} WithEars */
/** @typedef {Parameters<Page["getByRole"]>[0]} Role */
/** @typedef {{ violations: { id: string, impact?: string, nodes: { html: string }[] }[] }} AxeResults */

/**
 * @typedef {object} Command
 * @property {number} id
 * @property {string} do
 * @property {string} page
 * @property {string} address
 * @property {Role} role
 * @property {string} name
 * @property {string} label
 * @property {string} text
 * @property {string} key
 * @property {number[]} hertz
 * @property {number | null} tone
 * @property {string} microphone
 * @property {string} camera
 * @property {string} colour
 */

/** @param {object} message */
function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** What a tab is called that may be shared. */
const SHARED = "A screen to be shared";

/**
 * @param {string} microphone A WAV file.
 * @param {string} camera A Y4M file.
 */
async function launch(microphone, camera) {
  const browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
      // A machine with nothing but loopback has no other address to offer.
      "--allow-loopback-in-peer-connection",
      // Not the fake dialogue: that would have a fake screen, too, and none of a tab's.
      "--auto-accept-camera-and-microphone-capture",
      `--auto-select-tab-capture-source-by-title=${SHARED}`,
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-audio-capture=${microphone}`,
      `--use-file-for-fake-video-capture=${camera}`,
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
  browser.on("disconnected", () => {
    process.stderr.write("the browser has ended\n");
    process.exit(1);
  });
  return browser;
}

/** @type {import("playwright-core").Browser | undefined} */
let browser;
/** @type {Map<string, Page>} */
const pages = new Map();

/** @param {Command} command */
function pageOf({ page }) {
  const found = pages.get(page);
  if (!found) throw new Error(`there is no page '${page}'`);
  return found;
}

/** @param {Command} command */
async function open({ page: name, tone }) {
  const context = await browser?.newContext({
    viewport: SIZES.wide,
    reducedMotion: "reduce",
    // The server has made its certificate by itself.
    ignoreHTTPSErrors: true,
  });
  if (!context) throw new Error("there is no browser");
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complain = (/** @type {string} */ text) => say({ complaint: `${name}: ${text}` });
  page.on("pageerror", (error) => complain(String(error)));
  page.on("crash", () => complain("the page has crashed"));
  page.on("console", (message) => {
    // A socket or a request that a test lets fail is in the console, too.
    const isNetwork = /WebSocket connection|Failed to load resource/.test(message.text());
    if (message.type() === "error" && !isNetwork) complain(message.text());
  });
  await page.addInitScript(prepare, { tone });
  pages.set(name, page);
}

/** @param {Command} command */
async function go(command) {
  const response = await pageOf(command).goto(command.address);
  if (!response?.ok()) throw new Error(`${response?.status()}: ${await response?.text()}`);
}

/** @type {Map<string, Page>} */
const screens = new Map();

/**
 * What a person of a page has on his screen beside it: all of one colour.
 *
 * @param {Command} command
 */
async function paint(command) {
  const page = pageOf(command);
  const screen = screens.get(command.page) ?? (await page.context().newPage());
  screens.set(command.page, screen);
  await screen.setContent(
    `<title>${SHARED}</title><body style="background: ${command.colour}"></body>`,
  );
  await page.bringToFront();
}

/**
 * Pictures of a page in all its looks, and what axe finds serious in them.
 *
 * @param {Command} command
 */
async function look(command) {
  const page = pageOf(command);
  if (SCREENSHOTS) mkdirSync(SCREENSHOTS, { recursive: true });
  const found = [];
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      const name = `${command.name}-${colorScheme}-${size}`;
      if (SCREENSHOTS) {
        await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
      }
      // Colours are of the light, and what is where is of the size: two looks have all of both.
      if ((size === "wide") === (colorScheme === "light")) {
        found.push(...(await barriers(page)).map((barrier) => `${name}: ${barrier}`));
      }
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      if (width > viewport.width) found.push(`${name}: is ${width} pixels wide`);
    }
  }
  await page.setViewportSize(SIZES.wide);
  await page.emulateMedia({ colorScheme: null });
  return found;
}

/** @param {Page} page */
async function barriers(page) {
  const isThere = await page.evaluate(() => "axe" in window);
  // Through the debugger, not as a script of the page, whose policy forbids others.
  if (!isThere) await page.evaluate(readFileSync(AXE, "utf8"));
  const results = await page.evaluate(() => {
    const { axe } = /** @type {{ axe: { run: () => Promise<AxeResults> } }} */ (
      /** @type {unknown} */ (window)
    );
    return axe.run();
  });
  return results.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical" || impact === "moderate")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id} at ${node.html.slice(0, 120)}`));
}

/**
 * What has a role and exactly that name.
 *
 * @param {Command} command
 */
function named(command) {
  return pageOf(command).getByRole(command.role, { name: command.name, exact: true }).first();
}

/**
 * A text that can be seen, or a part of one.
 *
 * @param {Command} command
 */
function shown(command) {
  return pageOf(command).getByText(command.text).filter({ visible: true }).first();
}

/** @type {{ [command: string]: (command: Command) => Promise<unknown> }} */
const COMMANDS = {
  launch: async ({ microphone, camera }) => {
    browser = await launch(microphone, camera);
  },
  open,
  go,
  reload: (command) => pageOf(command).reload(),
  close: async (command) => {
    await pageOf(command).context().close();
    pages.delete(command.page);
  },
  click: (command) => named(command).click(),
  click_text: (command) => shown(command).click(),
  finds: (command) => named(command).waitFor(),
  fill: (command) => pageOf(command).getByLabel(command.label, { exact: true }).fill(command.text),
  press: (command) => pageOf(command).keyboard.press(command.key),
  sees: (command) => shown(command).waitFor(),
  sees_no: (command) => shown(command).waitFor({ state: "detached" }),
  title: (command) => pageOf(command).title(),
  hear: (command) =>
    pageOf(command).evaluate(
      (hertz) => /** @type {WithEars} */ (/** @type {unknown} */ (window)).ears.hear(hertz),
      command.hertz,
    ),
  watch: (command) =>
    pageOf(command).evaluate((hertz) => {
      const { ears } = /** @type {WithEars} */ (/** @type {unknown} */ (window));
      for (const one of hertz) ears.watch(one);
    }, command.hertz),
  silences: (command) =>
    pageOf(command).evaluate(() =>
      /** @type {WithEars} */ (/** @type {unknown} */ (window)).ears.silences(),
    ),
  paint,
  pictures: (command) =>
    pageOf(command).evaluate(() =>
      /** @type {WithEars} */ (/** @type {unknown} */ (window)).ears.pictures(),
    ),
  look,
};

/** @param {string} line */
async function obey(line) {
  /** @type {Command} */
  const command = JSON.parse(line);
  const { id } = command;
  try {
    const act = COMMANDS[command.do];
    if (!act) throw new Error(`nobody knows how to '${command.do}'`);
    const value = await act(command);
    say({ id, value: isPlain(value) ? value : null });
  } catch (error) {
    const shown = await pages
      .get(command.page)
      ?.locator("body")
      .ariaSnapshot({ timeout: 2000 })
      .catch(() => "");
    say({ id, error: `${String(error)}\nthe page shows:\n${shown ?? ""}` });
  }
}

/**
 * Whether it is an answer, not one of the browser's own objects.
 *
 * @param {unknown} value
 */
function isPlain(value) {
  if (typeof value !== "object" || value === null) return true;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => void obey(line));
lines.on("close", async () => {
  browser?.removeAllListeners("disconnected");
  await browser?.close();
  process.exit(0);
});
