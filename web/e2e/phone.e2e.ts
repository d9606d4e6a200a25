/**
 * The phone against a stand-in of the server. How calls go on over a lost network or a page that is loaded anew, and that mute,
 * hold and transfer do what they should, is tried with the real one: `crates/server/tests/app/browsers`.
 */

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { ToServer } from "../src/phone/protocol";
import { connect, FAR_HZ, FarSide, hears, MICROPHONE_HZ, type Notes, open } from "./browser";
import { ALICE, PASSWORD, StandIn } from "./standin";

const BOB = { name: "Bob", address: "sip:bob@contoso.example" };

let browser: Browser;
/** Where the far side is at home. */
let ground: StandIn;
let helpers: readonly BrowserContext[];
let server: StandIn;
let far: FarSide;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  browser = await connect();
  ground = await StandIn.start(() => Promise.reject());
  far = await FarSide.open(browser, `${ground.origin}/far`);
  helpers = browser.contexts();
});

afterAll(async () => {
  await browser.close();
  await ground.stop();
});

beforeEach(async () => {
  server = await StandIn.start((call, offer) => far.answer(call, offer));
  server.callees.set("alice", "answers").set("carol", "rings").set("bob", "busy");
  ({ page, complaints } = await open(browser, `${server.origin}/phone`));
});

afterEach(async () => {
  const others = browser.contexts().filter((context) => !helpers.includes(context));
  await Promise.all([...others.map((context) => context.close()), far.forget()]);
  await server.stop();
  expect(complaints).toEqual([]);
});

async function signIn(at = page): Promise<void> {
  await at.getByLabel("Name or address").fill("john");
  await at.getByLabel("Password").fill(PASSWORD);
  await at.getByRole("button", { name: "Sign in" }).click();
  await at.getByText("Ready ·").waitFor();
}

const button = (name: string) => page.getByRole("button", { name, exact: true });
const says = (text: string | RegExp) => page.getByText(text).first().waitFor();
const dial = async (whom: string) => {
  await page.getByLabel("Name, address or number").fill(whom);
  await page.keyboard.press("Enter");
};

/** Waits until the page has said something of this kind. */
function told(wanted: Partial<ToServer>): Promise<void> {
  return vi.waitFor(() => expect(server.received).toContainEqual(expect.objectContaining(wanted)), {
    timeout: 5000,
    interval: 20,
  });
}

async function answerAlice(): Promise<string> {
  const call = server.ring(ALICE);
  await button("Answer").click();
  await says("Connected");
  await hears(page, FAR_HZ);
  return call;
}

describe("signing in", () => {
  it("with a wrong password says what to do, and works with the right one", async () => {
    await page.getByLabel("Name or address").fill("john");
    await page.getByLabel("Password").fill("wrong");
    await page.keyboard.press("Enter");
    await says(/The name or the password is wrong/);
    await signIn();
    expect(await page.getByRole("heading", { name: "New call" }).isVisible()).toBe(true);
  });

  it("tells when the server is not there", async () => {
    await server.stop();
    await page.getByLabel("Name or address").fill("john");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await says(/The server does not answer/);
  });

  it("lasts while the page is loaded anew, until one signs out", async () => {
    await signIn();
    await page.reload();
    await says("Ready ·");
    await button("Sign out").click();
    await page.getByLabel("Password").waitFor();
    await page.reload();
    await page.getByLabel("Password").waitFor();
  });

  it("that is over on the server is asked for again", async () => {
    await signIn();
    server.forgetSessions();
    await says(/the session is over/);
  });
});

describe("a call that comes in", () => {
  it("rings, is answered with the keyboard, and each side hears the other", async () => {
    await signIn();
    const before = await strokes();
    const call = server.ring(ALICE, "About lunch");
    await page.getByRole("alert").filter({ hasText: "Alice Adams is calling" }).waitFor();
    await vi.waitFor(async () => expect(await page.title()).toBe("Alice Adams is calling"));
    await vi.waitFor(async () => expect(await strokes()).toBeGreaterThan(before));
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await told({ type: "accept", call });
    await hears(page, FAR_HZ);
    await hears(far.page, MICROPHONE_HZ);
    expect(await page.title()).toBe("Phone");
    await page.getByRole("timer").getByText("00:01").waitFor();
  });

  it("does not take the focus from somebody who types", async () => {
    await signIn();
    await page.getByLabel("Name, address or number").fill("al");
    server.ring(ALICE);
    await button("Answer").waitFor();
    await page.keyboard.type("ice");
    expect(await page.getByLabel("Name, address or number").inputValue()).toBe("alice");
  });

  it("is declined", async () => {
    await signIn();
    const call = server.ring(ALICE);
    await button("Decline").click();
    await told({ type: "decline", call });
    await says("Declined");
  });

  it("is missed, and can be called back", async () => {
    await signIn();
    server.callees.set(ALICE.address, "answers");
    const call = server.ring(ALICE);
    await button("Answer").waitFor();
    server.end(call, "cancelled");
    await says("Missed");
    await button("Call Alice Adams").click();
    await told({ type: "call", to: ALICE.address });
    await hears(page, FAR_HZ);
  });

  it("stays while the microphone is not allowed, and says how to allow it", async () => {
    const other = await open(browser, `${server.origin}/phone`, { microphone: "refused" });
    await signIn(other.page);
    server.ring(ALICE);
    await other.page.getByRole("button", { name: "Answer" }).click();
    await other.page.getByText(/Allow the microphone/).waitFor();
    await other.page.getByRole("button", { name: "Answer" }).waitFor();
    expect(other.complaints).toEqual([]);
  });

  it("shows markup in names as text", async () => {
    await signIn();
    const name = "<img src=x onerror=alert(1)><b>Mallory</b>";
    server.ring({ name, address: "sip:m@contoso.example" }, "<script>1</script>");
    await page.getByRole("heading", { name }).waitFor();
    expect(await page.locator("main img, main b, main script").count()).toBe(0);
  });
});

describe("a call that goes out", () => {
  it("to a name is made with the keyboard alone, heard, and hung up", async () => {
    await signIn();
    await dial("alice");
    await says("Connected");
    await hears(page, FAR_HZ);
    await hears(far.page, MICROPHONE_HZ);
    await button("Hang up").click();
    await told({ type: "hangUp" });
    await page.getByRole("heading", { name: "New call" }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("dial");
  });

  it("to a number goes there without its blanks, pressed on the keypad", async () => {
    await signIn();
    for (const key of ["2", "0", "1", "star", "hash"]) await button(key).click();
    expect(await page.getByLabel("Name, address or number").inputValue()).toBe("201*#");
    await dial("+1 500 555-0003");
    await told({ type: "call", to: "+15005550003" });
    await says(/\+1 500 555-0003: There is nobody of that name or number/);
  });

  it("tells why it did not come about", async () => {
    await signIn();
    await dial("John Smith");
    await says(/Nobody can be called so/);
    expect(await page.getByLabel("Name, address or number").inputValue()).toBe("John Smith");
    await dial("bob");
    await says(/The line is busy/);
  });

  it("rings until somebody takes it, and can be given up", async () => {
    await signIn();
    await dial("carol");
    await says("Ringing…");
    await button("Hang up").click();
    await told({ type: "hangUp" });
  });
});

describe("in a call", () => {
  it("keys are sent as telephone events, from the page and from the keyboard", async () => {
    await signIn();
    await answerAlice();
    await page.evaluate(() => {
      const { connections } = (window as unknown as { notes: Notes }).notes;
      const sent: string[] = [];
      Object.assign(window, { sent });
      connections
        .at(-1)
        ?.getSenders()[0]
        ?.dtmf?.addEventListener("tonechange", (event) => {
          if (event.tone) sent.push(event.tone);
        });
    });
    await button("Keypad").click();
    await button("5").click();
    await page.keyboard.press("#");
    const sent = () => page.evaluate(() => (window as unknown as { sent: string[] }).sent.join(""));
    await vi.waitFor(async () => expect(await sent()).toBe("5#"), { timeout: 5000 });
    await page.getByText("5#", { exact: true }).waitFor();
  });

  it("keys typed into a field are text", async () => {
    await signIn();
    await answerAlice();
    await page.getByLabel("Name, address or number").fill("");
    await page.keyboard.type("12");
    expect(await page.getByLabel("Name, address or number").inputValue()).toBe("12");
  });

  it("it shows that the other side holds", async () => {
    await signIn();
    const call = await answerAlice();
    server.say({ type: "held", call, held: true });
    await says("They put you on hold");
    server.say({ type: "held", call, held: false });
    await says("Connected");
  });

  it("a second one is taken, and the first waits until it is resumed", async () => {
    await signIn();
    const first = await answerAlice();
    const second = server.ring(BOB);
    await button("Answer").click();
    await told({ type: "hold", call: first, held: true });
    await told({ type: "accept", call: second });
    await page.getByRole("heading", { name: "Bob" }).waitFor();
    await button("Resume Alice Adams").click();
    await told({ type: "hold", call: second, held: true });
    await page.getByRole("heading", { name: "Alice Adams" }).waitFor();
    await button("Hang up").click();
    await page.getByRole("heading", { name: "Bob" }).waitFor();
    await says("On hold");
  });

  it("devices are exchanged without a break", async () => {
    await signIn();
    await answerAlice();
    await button("Settings").click();
    const microphones = page.getByLabel("Microphone");
    await vi.waitFor(async () =>
      expect(await microphones.locator("option").count()).toBeGreaterThan(1),
    );
    await microphones.selectOption({ index: 1 });
    await button("Done").click();
    await hears(far.page, MICROPHONE_HZ);
    await page.reload();
    await button("Settings").click();
    await vi.waitFor(async () => expect(await microphones.inputValue()).not.toBe(""));
  });
});

describe("when the network fails", () => {
  it("the page says that the server is gone, and comes back by itself", async () => {
    await signIn();
    server.takesSockets = false;
    server.cut();
    await says(/The server cannot be reached/);
    server.takesSockets = true;
    await says("Ready ·");
  });

  it("a call that the server no longer has is over", async () => {
    await signIn();
    await answerAlice();
    server.calls.clear();
    server.cut();
    await says(/The connection was lost for too long/);
  });
});

function strokes(): Promise<number> {
  return page.evaluate(() => (window as unknown as { notes: Notes }).notes.strokes);
}
