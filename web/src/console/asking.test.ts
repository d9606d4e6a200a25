import { expect, it } from "vitest";
import { asker, type Chosen } from "./asking";
import { list } from "./json";
import { application, user } from "./lists";

const may = ["Calls.Initiate.All"];
const applications = list(
  [
    { id: "none", tenants: [{ id: "f", permissions: [] }], webhook: null },
    { id: "off", tenants: [{ id: "c", permissions: may }], isCallingEnabled: false },
    {
      id: "bot",
      webhook: "https://bot.example",
      instances: [{ id: "i", numbers: ["+1"] }],
      tenants: [
        { id: "f", permissions: may },
        { id: "c", permissions: may },
      ],
    },
    { id: "other", webhook: "https://bot.example", tenants: [{ id: "c", permissions: may }] },
  ],
  application,
);
const users = list([{ id: "john", tenant: { id: "c" } }], user);

function asking(chosen: Chosen = {}, whoIsThere = users) {
  const { application, tenant } = asker(applications, whoIsThere, chosen);
  return [application?.id, tenant];
}

it("it is an application that can do most, in a tenant where there is somebody", () => {
  expect(asking()).toEqual(["bot", "c"]);
  // Where nobody is known yet, it is the first tenant.
  expect(asking({}, [])).toEqual(["bot", "f"]);
});

it("it is whoever was chosen, as long as that is there", () => {
  expect(asking({ app: "none" })).toEqual(["none", "f"]);
  expect(asking({ app: "bot", tenant: "f" })).toEqual(["bot", "f"]);
  expect(asking({ app: "other", tenant: "f" })).toEqual(["other", "c"]);
  expect(asking({ app: "gone" })).toEqual(["bot", "c"]);
});

it("nobody asks where there is no application", () => {
  expect(asker([], users, {})).toEqual({ application: undefined, tenant: "" });
});
