import { expect, it } from "vitest";
import { address, callAddress, type Route, route, SECTIONS, type Section } from "./route";

it("every screen has an address that leads back to it", () => {
  const routes: Route[] = [
    ...(Object.keys(SECTIONS) as Section[]).map((section) => ({ section })),
    { section: "calls", call: "2e1a0b00-2db4-4022-9570-243709c565ab" },
    { section: "calls", call: "a/b #?%&<ü>" },
  ];
  for (const to of routes) expect(route(address(to))).toEqual(to);
  expect(callAddress("a/b")).toBe("#/calls/a%2Fb");
});

it("addresses that name nothing lead to the calls", () => {
  for (const hash of [
    "",
    "#",
    "#/",
    "#/nothing",
    "#/calls/",
    "#/constructor",
    "#/calls/%E0%A4%A",
  ]) {
    expect(route(hash)).toEqual({ section: "calls" });
  }
  expect(route(`#/calls/${"x".repeat(1000)}`)).toEqual({ section: "calls" });
  expect(route("#users")).toEqual({ section: "users" });
});
