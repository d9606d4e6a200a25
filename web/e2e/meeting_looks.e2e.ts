import type { Page } from "playwright-core";
import { FarSide } from "./browser";
import { ADDRESS, Hall } from "./hall";
import { looks } from "./looks";
import { PictureRelay } from "./picture_relay";
import { PASSWORD, StandIn } from "./standin";

const NAMES = [
  "Alice Adams",
  "Bob Brown-Featherstonehaugh of Contoso",
  "Carol",
  "Dan Díaz",
  "Eve",
  "+1 201 555 0123",
  "Weekly bot",
];

/** What anybody sees one after the other in a meeting; `look` is run at each. */
async function tour(
  page: Page,
  server: StandIn,
  hall: Hall,
  look: (name: string) => Promise<void>,
): Promise<void> {
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  await page.getByLabel("Your name").waitFor();
  await look("1-before");
  await button("Sign in").click();
  await page.getByLabel("Password").fill("wrong");
  await page.getByLabel("Name or address").fill("john");
  await page.keyboard.press("Enter");
  await page.getByText(/password is wrong/).waitFor();
  await look("2-wrong-password");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText("You join as").waitFor();
  await button("Camera").click();
  await page.locator(".picture:not(.picture-empty)").waitFor();
  await look("3-before-with-camera");
  await button("Join").click();
  await button("Leave").waitFor();
  await look("4-alone");
  const ids = NAMES.map((name, index) =>
    hall.add({ name, ...(index > 4 ? { kind: index === 5 ? "phone" : "application" } : {}) }),
  );
  const [alice = "", bob = "", carol = ""] = ids;
  hall.change(bob, { hand: 7, isMuted: true });
  hall.change(carol, { role: "attendee", isMuted: true });
  hall.speak(alice);
  await page.locator(".tile-speaking").waitFor();
  await look("5-together");
  hall.add({ name: "Gregor", kind: "guest", isInLobby: true });
  await button("Admit Gregor").waitFor();
  await look("6-somebody-waits");
  hall.add({ name: "Heather of the marketing department", kind: "guest", isInLobby: true });
  await button("People").click();
  await button("Admit all").waitFor();
  await look("7-people");
  await button("Remove Carol").click();
  await page.getByRole("dialog").waitFor();
  await look("8-send-out");
  await button("Cancel").click();
  await button("Close the list").click();
  hall.change(alice, { screen: true });
  await page.getByText("Alice Adams shares the screen").first().waitFor();
  await look("9-screen");
  hall.change(alice, { screen: false });
  await button("Mute").click();
  await button("Devices").click();
  await page.getByRole("dialog").waitFor();
  await look("10-devices");
  await button("Done").click();
  for (let count = 0; count < 20; count += 1) hall.add({ name: `Visitor ${count}` });
  await page.getByText(/^and \d+ more/).waitFor();
  await look("11-many");
  const self = hall.named("John");
  hall.hold(self, true);
  await page.getByText("You were taken aside for a while.", { exact: true }).first().waitFor();
  await look("12-aside");
  hall.hold(self, false);
  server.takesSockets = false;
  server.cut();
  await page.getByText(/The server cannot be reached/).waitFor();
  await look("13-server-gone");
  hall.forget();
  server.takesSockets = true;
  await page.getByRole("heading", { name: /The connection was lost/ }).waitFor();
  await look("14-ended");
}

/** What a guest sees who has to wait. */
async function waitOutside(
  page: Page,
  hall: Hall,
  look: (name: string) => Promise<void>,
): Promise<void> {
  await page.context().clearCookies();
  hall.hasLobby = true;
  await page.reload();
  await page.getByLabel("Your name").fill("Ann");
  await page.keyboard.press("Enter");
  await page.getByText("Somebody will let you in soon.", { exact: true }).waitFor();
  await look("15-lobby");
  await page.goto(page.url().replace("NDQ4", "none"));
  await page.getByRole("heading", { name: "There is no such meeting" }).waitFor();
  await look("16-none");
}

looks("meeting", async (browser) => {
  const server = await StandIn.start(() => Promise.reject());
  const far = await FarSide.open(browser, `${server.origin}/far`);
  const relay = await PictureRelay.open(browser, `${server.origin}/far`);
  const hall = new Hall((page, offer) => far.answer(page, offer), relay);
  server.hall = hall;
  return {
    address: server.origin + ADDRESS,
    tour: async (page, look) => {
      await tour(page, server, hall, look);
      await waitOutside(page, hall, look);
    },
    stop: () => server.stop(),
  };
});
