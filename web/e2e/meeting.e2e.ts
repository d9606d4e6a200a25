/**
 * The page of a meeting against a stand-in of the server. How sound and pictures go on over a lost network is tried with the real
 * one: `crates/server/tests/app/browsers`.
 */

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { ToServer } from "../src/meeting/protocol";
import { colourOf, connect, FAR_HZ, FarSide, hears, MICROPHONE_HZ, open } from "./browser";
import { ADDRESS, Hall, SUBJECT } from "./hall";
import { PictureRelay } from "./picture_relay";
import { PASSWORD, StandIn } from "./standin";

let browser: Browser;
let server: StandIn;
let far: FarSide;
let relay: PictureRelay;
let helpers: readonly BrowserContext[];
let hall: Hall;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  browser = await connect();
  server = await StandIn.start(() => Promise.reject());
  far = await FarSide.open(browser, `${server.origin}/far`);
  relay = await PictureRelay.open(browser, `${server.origin}/far`);
  helpers = browser.contexts();
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

beforeEach(async () => {
  hall = new Hall((page, offer) => far.answer(page, offer), relay);
  server.hall = hall;
  server.takesSockets = true;
  ({ page, complaints } = await open(browser, server.origin + ADDRESS));
});

afterEach(async () => {
  const others = browser.contexts().filter((context) => !helpers.includes(context));
  await Promise.all(others.map((context) => context.close()));
  await Promise.all([far.forget(), relay.forget()]);
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

const says = (text: string | RegExp, at = page) => at.getByText(text).first().waitFor();

/** Another page of the meeting, with somebody in it. */
async function another(name: string): Promise<Page> {
  const other = await open(browser, server.origin + ADDRESS);
  await joined(name, other.page);
  return other.page;
}

async function signedIn(at = page): Promise<void> {
  await button("Sign in", at).click();
  await at.getByLabel("Name or address").fill("john");
  await at.getByLabel("Password").fill(PASSWORD);
  await button("Sign in", at).click();
  await at.getByText("You join as").waitFor();
}

/** Joins as the organizer, with the list of people open. */
async function organizing(): Promise<void> {
  await signedIn();
  await button("Join").click();
  await button("People").click();
  await page.getByRole("heading", { name: /^People/ }).waitFor();
}

const isPressed = (name: string, at = page) =>
  button(name, at)
    .getAttribute("aria-pressed")
    .then((pressed) => pressed === "true");

/** Waits until a picture is there whose colour is that of the fake camera of Chromium, which is green. */
function shows(label: string, at = page): Promise<void> {
  const isGreen = async () => {
    const [red = 0, green = 0, blue = 0] = (await colourOf(at, label)) ?? [];
    if (green < 90 || red > 70 || blue > 70) throw new Error(`${label}: ${red} ${green} ${blue}`);
  };
  return vi.waitFor(isGreen, { timeout: 15_000, interval: 50 });
}

describe("a guest", () => {
  it("comes in by name, hears the meeting, and is heard", async () => {
    await page.getByRole("heading", { name: SUBJECT }).waitFor();
    await page.getByText(/John invites you/).waitFor();
    await joined("Ann");
    await told({ type: "join", name: "Ann" });
    await hears(page, FAR_HZ);
    await hears(far.page, MICROPHONE_HZ);
    expect(await page.title()).toBe(SUBJECT);
  });

  it("is remembered by name", async () => {
    await joined("Ann");
    const later = await page.context().newPage();
    await later.goto(server.origin + ADDRESS);
    expect(await later.getByLabel("Your name").inputValue()).toBe("Ann");
  });

  it("does not come in without a name", async () => {
    await ask("   ");
    expect(await button("Join").isEnabled()).toBe(true);
    expect(hall.received).toEqual([]);
  });

  it("is asked to sign in where guests are not let in", async () => {
    hall.guests = false;
    await page.reload();
    await says(/This meeting is not open to guests/);
    expect(await page.getByLabel("Your name").count()).toBe(0);
  });

  it("waits in the lobby until somebody lets him in", async () => {
    hall.hasLobby = true;
    await ask("Ann");
    await says("Somebody will let you in soon.");
    await page.reload();
    await says("Somebody will let you in soon.");
    hall.change(hall.named("Ann"), { isInLobby: false });
    hall.hold(hall.named("Ann"), false);
    await button("Leave").waitFor();
    await hears(page, FAR_HZ);
  });

  it("who is not let in is told so, and can ask again", async () => {
    hall.hasLobby = true;
    await ask("Ann");
    await says("Somebody will let you in soon.");
    hall.remove(hall.named("Ann"), "notAdmitted");
    await page.getByRole("heading", { name: "Nobody let you in." }).waitFor();
    await button("Join again").click();
    await says("Somebody will let you in soon.");
  });

  it("who may not come in reads why", async () => {
    hall.closed = "The meeting is locked.";
    await ask("Ann");
    await page.getByRole("alert").filter({ hasText: "The meeting is locked" }).waitFor();
    expect(await button("Join").isEnabled()).toBe(true);
  });

  it("without a microphone comes in muted, and reads how to allow it", async () => {
    const other = await open(browser, server.origin + ADDRESS, { microphone: "refused" });
    await other.page.getByText(/Allow the microphone/).waitFor();
    await joined("Mime", other.page);
    await told({ type: "mute", muted: true });
    await hears(other.page, FAR_HZ);
    await button("Mute", other.page).click();
    await other.page.getByText(/Allow the microphone/).waitFor();
    expect(await isPressed("Mute", other.page)).toBe(true);
    expect(other.complaints).toEqual([]);
  });
});

it("an address without a meeting says so", async () => {
  await page.goto(`${server.origin}/l/meetup-join/other/0?context=x`);
  await page.getByRole("heading", { name: "There is no such meeting" }).waitFor();
});

describe("whoever signs in", () => {
  it("joins by the name that the server knows", async () => {
    await signedIn();
    await button("Join").click();
    await button("Leave").waitFor();
    expect(hall.seats.get(hall.named("John"))?.role).toBe("organizer");
  });

  it("lets people in from the lobby, or does not", async () => {
    await organizing();
    const ann = hall.add({ name: "Ann", isInLobby: true });
    const bob = hall.add({ name: "Bob", isInLobby: true });
    await button("Admit Ann").click();
    await told({ type: "admit", participant: ann });
    await button("Deny Bob").click();
    await told({ type: "remove", participant: bob });
    hall.add({ name: "Carol", isInLobby: true });
    hall.add({ name: "Dan", isInLobby: true });
    await button("Admit all").click();
    await page.getByRole("heading", { name: "People (4)" }).waitFor();
  });

  it("is told of somebody who knocks, and lets him in at once", async () => {
    await organizing();
    await button("Close the list").click();
    const ann = hall.add({ name: "Ann", isInLobby: true });
    await page.getByRole("status").filter({ hasText: "Ann waits in the lobby." }).waitFor();
    await vi.waitFor(async () => expect(await page.title()).toBe(`(1) ${SUBJECT}`));
    await button("Admit Ann").click();
    await told({ type: "admit", participant: ann });
    await page.getByRole("status").filter({ hasText: "Ann came in." }).waitFor();
  });

  it("mutes others, and sends them out once it was asked whether that is meant", async () => {
    await organizing();
    const ann = hall.add({ name: "Ann" });
    await button("Mute Ann").click();
    await told({ type: "muteOther", participant: ann });
    await vi.waitFor(async () => expect(await button("Mute Ann").count()).toBe(0));
    await button("Remove Ann").click();
    await button("Cancel").click();
    await button("Remove Ann").click();
    await button("Send out").click();
    await told({ type: "remove", participant: ann });
    await page.getByRole("status").filter({ hasText: "Ann left." }).waitFor();
  });

  it("keeps the focus in the list while people go, and gets it back when it is closed", async () => {
    await organizing();
    hall.add({ name: "Ann", isInLobby: true });
    await button("Admit Ann").press("Enter");
    await page.getByRole("heading", { name: "People (2)" }).waitFor();
    const focused = () =>
      page.evaluate(() => {
        const element = document.activeElement;
        return element?.closest("aside") ? "list" : (element?.textContent ?? "");
      });
    await vi.waitFor(async () => expect(await focused()).toBe("list"));
    await page.keyboard.press("Escape");
    await vi.waitFor(async () => expect(await focused()).toBe("People"));
  });

  it("and whose session is over is told so", async () => {
    await organizing();
    server.forgetSessions();
    await page.getByRole("heading", { name: /Your session is over/ }).waitFor();
    await button("Join again").click();
    await page.getByLabel("Your name").waitFor();
  });
});

describe("in a meeting", () => {
  it("one is muted and unmuted with the button and the keyboard", async () => {
    await joined("Ann");
    await hears(far.page, MICROPHONE_HZ);
    await button("Mute").click();
    await told({ type: "mute", muted: true });
    await hears(far.page, 0);
    await page.keyboard.press("m");
    await told({ type: "mute", muted: false });
    await hears(far.page, MICROPHONE_HZ);
  });

  it("one who is muted by others is told, and can unmute oneself", async () => {
    const id = await joined("Ann");
    hall.change(id, { isMuted: true });
    await page.getByRole("alert").filter({ hasText: "You were muted." }).waitFor();
    await hears(far.page, 0);
    await button("Mute").click();
    await told({ type: "mute", muted: false });
    await hears(far.page, MICROPHONE_HZ);
  });

  it("a hand is raised and taken down", async () => {
    const id = await joined("Ann");
    await page.keyboard.press("h");
    await told({ type: "hand", raised: true });
    await vi.waitFor(async () => expect(await isPressed("Raise hand")).toBe(true));
    await button("Raise hand").click();
    await told({ type: "hand", raised: false });
    expect(hall.seats.get(id)?.hand).toBeNull();
  });

  it("single keys are text in fields, and do nothing where they are not wanted", async () => {
    await joined("Ann");
    await button("Devices").click();
    await page.keyboard.press("m");
    await page.getByRole("checkbox", { name: /Single keys/ }).uncheck();
    await button("Done").click();
    await page.keyboard.press("m");
    await page.keyboard.press("h");
    expect(hall.received.some(({ type }) => type === "mute" || type === "hand")).toBe(false);
  });

  it("whoever speaks is marked, and names are text", async () => {
    await joined("Ann");
    const name = "<img src=x onerror=alert(1)><b>Mallory</b>";
    const id = hall.add({ name });
    const tile = page.getByRole("listitem").filter({ hasText: name });
    await tile.waitFor();
    hall.speak(id);
    await page.locator(".tile-speaking").filter({ hasText: name }).waitFor();
    expect(await page.locator("main img, main b").count()).toBe(0);
  });

  it("one who is taken aside reads so, whatever is lost meanwhile, and comes back", async () => {
    const id = await joined("Ann");
    hall.hold(id, true);
    await says("You were taken aside for a while.");
    hall.received.length = 0;
    server.cut();
    await told({ type: "offer" });
    await says("You were taken aside for a while.");
    await page.reload();
    await says("You were taken aside for a while.");
    await hears(page, FAR_HZ);
    hall.hold(id, false);
    await page.getByRole("list", { name: "People who are shown" }).waitFor();
  });

  it("devices are exchanged without a break", async () => {
    await joined("Ann");
    await button("Devices").click();
    const microphones = page.getByLabel("Microphone", { exact: true });
    await vi.waitFor(async () =>
      expect(await microphones.locator("option").count()).toBeGreaterThan(1),
    );
    await microphones.selectOption({ index: 1 });
    await button("Done").click();
    await hears(far.page, MICROPHONE_HZ);
  });

  it("a browser that keeps the page silent is asked to let it be heard", async () => {
    await page.addInitScript(() => {
      const { play } = HTMLMediaElement.prototype;
      let isTouched = false;
      addEventListener(
        "click",
        (event) => {
          isTouched = event.target instanceof Element && event.target.textContent === "Let me hear";
        },
        true,
      );
      HTMLMediaElement.prototype.play = function () {
        const isKept = this instanceof HTMLAudioElement && !isTouched;
        return isKept ? Promise.reject(new DOMException("no", "NotAllowedError")) : play.call(this);
      };
    });
    await page.reload();
    await joined("Ann");
    await button("Let me hear").click();
    await vi.waitFor(async () => expect(await button("Let me hear").count()).toBe(0));
    await hears(page, FAR_HZ);
  });

  it("one leaves, and joins again", async () => {
    await joined("Ann");
    await button("Leave").click();
    await told({ type: "leave" });
    await page.getByRole("heading", { name: "You left the meeting." }).waitFor();
    await button("Join again").click();
    await button("Leave").waitFor();
    await hears(page, FAR_HZ);
    await hears(far.page, MICROPHONE_HZ);
  });

  it("the end of it is told", async () => {
    const id = await joined("Ann");
    hall.remove(id, "over");
    await page.getByRole("heading", { name: "The meeting is over." }).waitFor();
  });
});

describe("pictures", () => {
  it("of a camera that was on before are there from the start, until it is off", async () => {
    const other = await another("Bob");
    await button("Camera").click();
    await shows("Preview of your camera");
    await joined("Ann");
    await told({ type: "camera", on: true });
    await shows("Your camera");
    await shows("Camera of Ann", other);
    await button("Camera").click();
    await told({ type: "camera", on: false });
    await vi.waitFor(async () => expect(await other.getByLabel("Camera of Ann").count()).toBe(0));
    await vi.waitFor(() =>
      expect(hall.received.findLast(({ type }) => type === "watch")).toMatchObject({ tiles: [] }),
    );
  });

  it("of a screen are seen large by others, until somebody else shares", async () => {
    await joined("Ann");
    const other = await another("Bob");
    await button("Share screen").click();
    await shows("Screen of Ann", other);
    const [watched] = hall.received.flatMap((one) => (one.type === "watch" ? one.tiles : []));
    expect(watched).toMatchObject({ kind: "screen", participant: hall.named("Ann") });
    expect(watched?.height).toBeGreaterThan(300);
    await button("Share screen", other).click();
    await says(/Bob shares now/);
    await shows("Screen of Bob");
    expect(await isPressed("Share screen")).toBe(false);
    await button("Stop sharing", other).click();
    await told({ type: "screen", on: false });
    await vi.waitFor(async () => expect(await page.getByLabel("Screen of Bob").count()).toBe(0));
  });

  it("are offered in one message, as VP8 in three sizes, with lines for others", async () => {
    await joined("Ann");
    await told({ type: "pictures" });
    const offer = hall.received.find((one) => one.type === "pictures");
    const sdp = offer && "sdp" in offer ? offer.sdp : "";
    const [, camera = "", screen = "", ...others] = sdp.split("m=video");
    expect(camera).toMatch(/a=simulcast:send l;m;h\r\n/);
    expect(camera).toContain("a=sendonly");
    expect(screen).toContain("a=sendonly");
    expect(screen).not.toContain("simulcast");
    expect(others).toHaveLength(16);
    for (const line of others) expect(line).toContain("a=recvonly");
    const codecs = new Set([...sdp.matchAll(/a=rtpmap:\d+ (\S+)/g)].map(([, codec]) => codec));
    expect([...codecs]).toEqual(["VP8/90000", "rtx/90000"]);
    expect(JSON.stringify(offer).length).toBeLessThan(64 * 1024);
  });
});

describe("when the network fails", () => {
  it("the page says that the server is gone, and comes back by itself", async () => {
    await joined("Ann");
    server.takesSockets = false;
    server.cut();
    await says(/The server cannot be reached/);
    server.takesSockets = true;
    await told({ type: "offer" });
    await hears(page, FAR_HZ);
    await vi.waitFor(async () => expect(await page.getByText(/cannot be reached/).count()).toBe(0));
  });

  it("a page that is loaded anew comes back to the same place", async () => {
    const id = await joined("Ann");
    await button("Camera").click();
    await button("Mute").click();
    await told({ type: "mute", muted: true });
    const other = await another("Bob");
    await shows("Camera of Ann", other);
    await page.reload();
    await button("Leave").waitFor();
    await hears(page, FAR_HZ);
    await shows("Camera of Ann", other);
    expect(await isPressed("Mute")).toBe(true);
    expect(hall.named("Ann")).toBe(id);
    await button("Mute").click();
    await hears(far.page, MICROPHONE_HZ);
  });

  it("a place that the server no longer has is over", async () => {
    await joined("Ann");
    hall.forget();
    server.cut();
    await page.getByRole("heading", { name: /The connection was lost for too long/ }).waitFor();
  });
});
