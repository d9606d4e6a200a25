import type { Page } from "playwright-core";
import { LIVE, scene, sounds } from "./console_scene";
import { ConsoleStandIn, PASSWORD } from "./console_standin";
import { looks } from "./looks";

/** What an administrator sees one after the other; `look` is run at each. */
async function tour(
  page: Page,
  server: ConsoleStandIn,
  look: (name: string) => Promise<void>,
): Promise<void> {
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  const section = async (name: string) => {
    await page.getByRole("navigation").getByRole("link", { name }).click();
    await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
  };
  await page.getByLabel("Password").waitFor();
  await look("1-signed-out");
  await page.getByLabel("Name or address").fill("user1");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText(/for administrators only/).waitFor();
  await look("2-not-an-administrator");
  await button("Sign in as somebody else").click();
  await page.getByLabel("Name or address").fill("john");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByText("There is no call at the moment").waitFor();
  await look("3-no-calls");
  scene(server);
  await page.getByRole("link", { name: "Weekly sync" }).waitFor();
  await look("4-live-calls");
  await button("Ended").click();
  await page.getByRole("link", { name: "+12015550123" }).waitFor();
  await look("5-ended-calls");
  await button("Live").click();
  await page.getByRole("link", { name: "John" }).click();
  await page.getByRole("heading", { name: "Timeline" }).waitFor();
  for (let turn = 1; turn < 40; turn += 1) {
    server.measure(LIVE, Date.now() + turn, sounds(turn));
  }
  await page
    .getByRole("img", { name: /Level: −\d+ dB/ })
    .first()
    .waitFor();
  await look("6-call");
  await page.getByText(/As a list/).click();
  await page.getByText("Updated call established").click();
  await button("Larger").click();
  await page.getByRole("button", { name: /180 Ringing/ }).click();
  await page.getByText("Received from udp:127.0.0.1:40000").waitFor();
  await look("7-call-opened");
  await section("Calls");
  await button("Ended").click();
  await page.getByRole("link", { name: "+12015550123" }).click();
  await page.getByText("486 / 560486").first().waitFor();
  await look("8-failed-call");
  for (const [at, name] of ["Meetings", "Users", "Trunks", "Applications"].entries()) {
    await section(name);
    await page.getByText("Contoso").first().waitFor({ state: "attached" });
    await look(`${9 + at}-${name.toLowerCase()}`);
  }
  await section("Test call");
  await page.getByLabel("Whom to call").fill("nobody");
  await button("Call").click();
  await page.getByText("Nobody is called so.").waitFor();
  await look("13-test-call");
  await section("Requests");
  await page.getByLabel(/^Body/).waitFor();
  await button("Send").click();
  await page.getByText("Look at the call").waitFor();
  await look("14-request-answered");
  server.takesStreams = false;
  server.cut();
  await page.getByText(/The server cannot be reached/).waitFor();
  await look("15-server-gone");
}

looks("console", async () => {
  const server = await ConsoleStandIn.start();
  return {
    address: `${server.origin}/console`,
    tour: (page, look) => tour(page, server, look),
    stop: () => server.stop(),
  };
});
