import { expect, it } from "vitest";
import { initials } from "./people";

it("initials stand for names of all kinds", () => {
  const names = ["John Smith", "john", "sip:bob@contoso.example", "+1 201 555", "李 雷", "", "<b>"];
  expect(names.map(initials)).toEqual(["JS", "J", "B", "15", "李雷", "?", "B"]);
});
