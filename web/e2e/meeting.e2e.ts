import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { ToServer } from "../src/meeting/protocol";
import { FAR_HZ, FarSide, hears, launch, MICROPHONE_HZ, open } from "./browser";
import { ADDRESS, Hall, SUBJECT } from "./hall";
import { PictureRelay } from "./picture_relay";
import { StandIn } from "./standin";

let folder: string;
let browser: Browser;
let server: StandIn;
let hall: Hall;
let far: FarSide;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookswitch-web-"));
  browser = await launch(folder);
});

afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  server = await StandIn.start(() => Promise.reject());
  far = await FarSide.open(browser, `${server.origin}/far`);
  const relay = await PictureRelay.open(browser, `${server.origin}/far`);
  hall = new Hall((page, offer) => far.answer(page, offer), relay);
  server.hall = hall;
  ({ page, complaints } = await open(browser, server.origin + ADDRESS));
});

afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await server.stop();
  expect(complaints).toEqual([]);
});

const button = (name: string, at = page) => at.getByRole("button", { name, exact: true });

async function ask(name: string, at = page): Promise<void> {
  await at.getByLabel("Your name").fill(name);
  await button("Join", at).click();
}

async function joined(name: string, at = page): Promise<string> {
  await ask(name, at);
  await button("Leave", at).waitFor();
  return hall.named(name);
}

/** Waits until the page has said something of this kind. */
function told(wanted: Partial<ToServer>): Promise<void> {
  return vi.waitFor(() => expect(hall.received).toContainEqual(expect.objectContaining(wanted)), {
    timeout: 5000,
    interval: 20,
  });
}

describe("a guest", () => {
  it("comes in by name, hears the meeting, and is heard", async () => {
    await page.getByRole("heading", { name: SUBJECT }).waitFor();
    await joined("Ann");
    await hears(page, FAR_HZ);
    await hears(far.page, MICROPHONE_HZ);
    await told({ type: "join", name: "Ann" });
  });
});
