import type { Page } from "playwright-core";
import { FarSide } from "./browser";
import { looks } from "./looks";
import { ALICE, PASSWORD, StandIn } from "./standin";

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
  await page.getByText(/^\d\d:\d\d ·/).waitFor();
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

looks("phone", async (browser) => {
  let far: FarSide | undefined;
  const server = await StandIn.start((call, offer) => far?.answer(call, offer) ?? Promise.reject());
  far = await FarSide.open(browser, `${server.origin}/far`);
  return {
    address: `${server.origin}/phone`,
    tour: (page, look) => tour(page, server, look),
    stop: () => server.stop(),
  };
});
