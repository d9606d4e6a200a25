import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { connect, open } from "./browser";
import { FAILED, LIVE, note, scene, sounds } from "./console_scene";
import { BOT, ConsoleStandIn, iso, PASSWORD } from "./console_standin";

let folder: string;
let browser: Browser;
let server: ConsoleStandIn;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookswitch-web-"));
  browser = await connect();
});

afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  server = await ConsoleStandIn.start();
  ({ page, complaints } = await open(browser, `${server.origin}/console`));
});

afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await server.stop();
  expect(complaints).toEqual([]);
});

const button = (name: string | RegExp) => page.getByRole("button", { name });
const link = (name: string | RegExp) => page.getByRole("link", { name });
const row = (name: string) => page.getByRole("row").filter({ has: link(name) });

/** Waits until a check passes. Machines that test much at once are slow. */
function soon(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 10_000, interval: 30 });
}

async function signIn(): Promise<void> {
  await page.getByLabel("Name or address").fill("john");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText(/^Live/).first().waitFor();
}

async function openSection(name: string): Promise<void> {
  await page.getByRole("navigation").getByRole("link", { name }).click();
}

/** Opens the page of a call by its address, as somebody does who was sent it. */
async function openCall(id: string): Promise<void> {
  await page.goto(`${server.origin}/console#/calls/${id}`);
  await page.getByRole("heading", { name: "Timeline" }).waitFor();
  // Events are heard from now on.
  await soon(() => expect(server.streamed).toEqual([id]));
}

async function gone(locator: ReturnType<typeof link>): Promise<void> {
  await locator.waitFor({ state: "detached" });
}

describe("the list of calls", () => {
  beforeEach(signIn);

  it("changes by itself", async () => {
    await page.getByText("There is no call at the moment").waitFor();
    server.begin("1", Date.now(), { who: "Alice" });
    await row("Alice").getByRole("cell", { name: "Establishing", exact: true }).waitFor();
    server.change("1", { state: "established" });
    await row("Alice").getByRole("cell", { name: "Established", exact: true }).waitFor();
    server.begin("2", Date.now(), { who: "Bob" });
    await link("Bob").waitFor();
    server.change("1", { state: "terminated", ended: iso(Date.now()) });
    await gone(link("Alice"));
    expect(await row("Bob").count()).toBe(1);
    await button("Ended").click();
    await link("Alice").waitFor();
    expect(await link("Bob").count()).toBe(0);
  });

  it("is narrowed down by what is written", async () => {
    scene(server);
    await link("Weekly sync").waitFor();
    await page.getByLabel("Filter calls").fill("meeting weekly");
    await gone(link("John"));
    expect(await page.getByRole("row").count()).toBe(2);
    await page.getByLabel("Filter calls").fill("nobody");
    await page.getByText("None of 4 calls has these words in it.").waitFor();
  });

  it("shows names as text, whatever is in them", async () => {
    scene(server);
    await link('<img src=x onerror="alert(1)">Alice').waitFor();
    expect(await page.locator("img").count()).toBe(0);
  });

  it("is shown page by page", async () => {
    for (let at = 0; at < 150; at += 1) {
      server.begin(`e${at}`, 1_700_000_000_000 + at, {
        who: `Caller ${at}.`,
        state: "terminated",
        ended: iso(1_700_000_001_000),
      });
    }
    await page.reload();
    await button("Ended").click();
    await link("Caller 149.").waitFor();
    expect(await link("Caller 20.").count()).toBe(0);
    await button("Show more").click();
    await link("Caller 20.").waitFor();
    await link("Caller 0.").waitFor();
    expect(await button("Show more").count()).toBe(0);
  });

  it("comes back after the server was gone, with what happened meanwhile", async () => {
    scene(server);
    await link("Weekly sync").waitFor();
    server.takesStreams = false;
    server.cut();
    await page.getByText(/The server cannot be reached/).waitFor();
    server.begin("new", Date.now(), { who: "Carol" });
    server.change("c3", { state: "terminated", ended: iso(Date.now()) });
    expect(await link("Carol").count()).toBe(0);
    server.takesStreams = true;
    // It may have tried by itself meanwhile.
    await button("Try now")
      .click({ timeout: 3000 })
      .catch(() => {});
    await link("Carol").waitFor();
    await gone(link("Weekly sync"));
    await gone(page.getByText(/The server cannot be reached/));
  });

  it("rests while nobody sees it, and has missed nothing afterwards", async () => {
    const setHidden = (isHidden: boolean) =>
      page.evaluate((isHidden) => {
        Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, isHidden);
    await page.clock.install();
    await page.reload();
    await soon(() => expect(server.streamed).toEqual([null]));
    await setHidden(true);
    await page.clock.fastForward(61_000);
    await soon(() => expect(server.streamed).toEqual([]));
    server.begin("1", Date.now(), { who: "Alice" });
    await setHidden(false);
    await link("Alice").waitFor();
    await soon(() => expect(server.streamed).toEqual([null]));
  });

  it("goes with the session", async () => {
    server.forgetSessions();
    await page.getByText(/the session is over/).waitFor();
    await signIn();
    await button("Sign out").click();
    await page.getByLabel("Password").waitFor();
    await soon(() => expect(server.streamed).toEqual([]));
  });
});

describe("a call's page", () => {
  beforeEach(async () => {
    await signIn();
    scene(server);
    await openCall(LIVE);
  });

  it("shows what happens while it happens", async () => {
    await page.getByText(/As a list: 17/).click();
    server.enter(LIVE, Date.now(), "tone", "heard", "9");
    await page.getByRole("cell", { name: "Heard: 9" }).waitFor();
    const told = { change: "updated", about: "call", data: { toneInfo: { tone: "tone9" } } };
    server.notify(LIVE, note(7, Date.now(), { ...told, tries: [[1, 500]] }));
    await page.getByText("1 try, answered 500").waitFor();
    server.notify(
      LIVE,
      note(7, Date.now(), {
        ...told,
        tries: [
          [1, 500],
          [900, 202],
        ],
      }),
    );
    await page.getByText("2 tries, answered 202").waitFor();
    server.measure(LIVE, Date.now() + 1000, sounds(Math.PI / 2));
    await page.getByRole("img", { name: "Level: −13 dB" }).waitFor();
    const bye = { direction: "sent", method: "BYE", peer: "udp:127.0.0.1:40000", dialog: "d1" };
    const startLine = "BYE sip:john@127.0.0.1 SIP/2.0";
    server.say(LIVE, Date.now(), { ...bye, isRequest: true, startLine, text: startLine });
    await button(/: BYE, sent to udp/).waitFor();
    server.operate(LIVE, { "@odata.type": "#microsoft.graph.muteParticipantOperation", id: "m" });
    server.enter(LIVE, Date.now(), "state", "terminated", "Over");
    const result = { code: 200, subcode: 7000, message: "The application hung up." };
    server.change(LIVE, { state: "terminated", ended: iso(Date.now()), result });
    await page.getByText("200 / 7000: The application hung up.", { exact: true }).waitFor();
    await gone(page.getByRole("heading", { name: "Sound" }));
    // What the API shows of it was asked for again.
    await page.getByRole("cell", { name: "Mute participant" }).waitFor();
  });

  it("listens to its call as long as it is open", async () => {
    await link("Calls").first().click();
    await link("Weekly sync").waitFor();
    await soon(() => expect(server.streamed).toEqual([null]));
    await link("Weekly sync").click();
    await page.getByRole("heading", { level: 1, name: "Weekly sync" }).waitFor();
    await soon(() => expect(server.streamed).toEqual(["c3"]));
    await soon(async () => expect(await page.title()).toBe("Call with Weekly sync · Console"));
    await page.goBack();
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "John" }).waitFor();
  });

  it("sends a notification once more, and says how that went", async () => {
    await page.getByText("Updated call established").click();
    const refused = page.getByRole("cell", { name: "connection refused" });
    await soon(async () => expect(await refused.count()).toBe(1));
    await button("Resend notification 2").click();
    await page.getByRole("cell", { name: "Resend 1" }).waitFor();
    expect(server.posted.map(({ path }) => path)).toEqual([`calls/${LIVE}/notifications/2/resend`]);
    await page.getByText("Sent again: answered 202").waitFor({ state: "attached" });
    server.webhookStatus = null;
    await button("Resend notification 2").click();
    await page.getByRole("cell", { name: "Resend 2" }).waitFor();
    await soon(async () => expect(await refused.count()).toBe(2));
  });

  it("can be had as a file", async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), link("Download").click()]);
    expect(download.suggestedFilename()).toBe(`call-${LIVE}.json`);
    const file = join(folder, "call.json");
    await download.saveAs(file);
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ summary: { id: LIVE } });
  });

  it("lets the messages be read by the keyboard, as text", async () => {
    await button(/: INVITE, sent/).focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    const message = page.getByRole("region", { name: "Message", exact: true });
    await message.getByText("SIP/2.0 180 Ringing").first().waitFor();
    await message.getByText('To: "<b>John</b>" <sip:john@localhost>').waitFor();
    expect(await message.locator("b").count()).toBe(0);
    await soon(async () => expect(await page.locator('[aria-pressed="true"]').count()).toBe(1));
  });

  it("has a picture that can be made larger, and leads to what is in it", async () => {
    const width = () => page.locator(".drawing").evaluate((svg) => svg.clientWidth);
    const whole = await width();
    await button("Larger").click();
    await soon(async () => expect(await width()).toBe(2 * whole));
    await button("Whole call").click();
    await soon(async () => expect(await width()).toBe(whole));
    await page.locator(".thing-link", { hasText: "Notification 3" }).click();
    await button("Resend notification 3").waitFor();
  });

  it("bears a flood of events", async () => {
    for (let at = 0; at < 2000; at += 1) {
      server.enter(LIVE, Date.now(), "tone", "heard", String(at % 10));
      server.change("c3", { subject: `${at}` });
    }
    await page.getByText(/As a list: 2017/).waitFor();
    await button("Larger").click();
    server.enter(LIVE, Date.now(), "tone", "heard", "1");
    await page.getByText(/As a list: 2018/).waitFor();
  });
});

describe("a call of which little is known", () => {
  beforeEach(async () => {
    await signIn();
    scene(server);
  });

  it("says why it failed, and that its application was not told", async () => {
    await openCall(FAILED);
    const why = "486 / 560486: Busy here. The called number is in use.";
    await page.getByText(why, { exact: true }).waitFor();
    await page.getByText("Abandoned", { exact: true }).waitFor();
    expect(await page.getByRole("heading", { name: "Sound" }).count()).toBe(0);
  });

  it("is shown as far as the server remembers it", async () => {
    await openCall("c5");
    await page.getByText(/does not remember more of this call/).waitFor();
    await page.getByText(/does not remember the SIP messages/).waitFor();
  });

  it("may not be there at all", async () => {
    await page.goto(`${server.origin}/console#/calls/none`);
    await page.getByText("There is no such call.").waitFor();
  });
});

describe("the composer", () => {
  beforeEach(async () => {
    await signIn();
    scene(server);
    await openSection("Requests");
    await page.getByLabel("Application").waitFor();
  });

  it("sends a request as the application, not as whoever is signed in", async () => {
    await button("Send").click();
    await page.getByText("201 Created").waitFor();
    const [token, created] = server.posted;
    expect(token).toMatchObject({ path: "token", body: { app: BOT.id } });
    expect(created?.by).toBe(`Bearer token-of-${BOT.id}`);
    expect(created?.body).toMatchObject({
      callbackUri: "http://127.0.0.1:9000/callback",
      targets: [{ identity: { user: { displayName: "John" } } }],
    });
    await link("Look at the call").click();
    await page.getByRole("heading", { name: "Timeline" }).waitFor();
  });

  it("has the ten documented requests, which can be changed", async () => {
    const choice = page.getByLabel("Request", { exact: true });
    expect(await choice.locator("option").count()).toBe(10);
    await choice.selectOption({ index: 6 });
    const body = page.getByRole("textbox", { name: /^Body/ });
    await soon(async () => expect(await body.inputValue()).toContain('"passcode": ""'));
    await body.fill('{"a":');
    await page.getByText(/This is no JSON/).waitFor();
    expect(await button("Send").isDisabled()).toBe(true);
    await body.fill('{"a":1}');
    await button("Send").click();
    await page.getByText("400 Bad Request").waitFor();
    await page.getByText('"message": "Nobody is called."').waitFor();
    expect(server.posted.at(-1)?.body).toEqual({ a: 1 });
    await button("As it was").click();
    await soon(async () => expect(await body.inputValue()).toContain('"passcode": ""'));
  });
});

it("a test call leads to its page", async () => {
  await signIn();
  scene(server);
  await openSection("Test call");
  await page.getByLabel("Application").selectOption("No Rights");
  await page.getByLabel("Whom to call").fill("john@localhost");
  await button("Call").click();
  // That the application may not does not mean that the administrator may not.
  await page.getByText("The application may not call anybody.").waitFor();
  await page.getByLabel("Application").selectOption(BOT.name);
  await button("Call").click();
  await page.getByRole("heading", { level: 1, name: "john@localhost" }).waitFor();
  const asked = server.posted.at(-1);
  expect(asked).toMatchObject({ path: "test-call", body: { app: BOT.id, to: "john@localhost" } });
});

it("whoever is an administrator no more is told so", async () => {
  await signIn();
  await page.getByText("There is no call at the moment").waitFor();
  server.administrators.clear();
  await page.evaluate(() => {
    location.hash = "#/users";
  });
  await page.getByText(/but the console is for administrators only/).waitFor();
  await soon(() => expect(server.streamed).toEqual([]));
});

it("whoever is no administrator is told so, and can sign in as somebody else", async () => {
  await page.getByLabel("Name or address").fill("user1");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText(/user1 is signed in, but the console is for administrators only/).waitFor();
  expect(server.streamed).toEqual([]);
  await button("Sign in as somebody else").click();
  await signIn();
});
