import { beforeEach, expect, it } from "vitest";
import { Catalogue } from "./catalogue";
import type { Answer, PageOf } from "./server";

interface Item {
  readonly id: string;
  readonly tenant?: { readonly id: string };
}

/** Requests that are not answered yet. */
let asked: { after: string | null; answer: (answer: Answer<PageOf<Item>>) => void }[];
let refusals: number[];
let list: Catalogue<Item>;

beforeEach(() => {
  asked = [];
  refusals = [];
  list = new Catalogue<Item>(
    (after) => new Promise((answer) => asked.push({ after, answer })),
    ({ status }) => refusals.push(status),
  );
});

function page(ids: string, nextAfter: string | null = null): Answer<PageOf<Item>> {
  return { value: { items: [...ids].map((id) => ({ id })), nextAfter } };
}

const ids = () => list.shown.value.items.map(({ id }) => id).join("");

it("pages are put together, without what is known already", async () => {
  const first = list.load();
  asked[0]?.answer(page("abc", "c"));
  await first;
  const second = list.more();
  expect(asked[1]?.after).toBe("c");
  asked[1]?.answer(page("cd"));
  await second;
  expect(ids()).toBe("abcd");
  await list.more();
  expect(asked).toHaveLength(2);
});

it("what has the same id in another tenant is another thing", async () => {
  const first = list.load();
  const one = { id: "a", tenant: { id: "contoso" } };
  asked[0]?.answer({ value: { items: [one], nextAfter: "a" } });
  await first;
  const second = list.more();
  const other = { id: "a", tenant: { id: "fabrikam" } };
  asked[1]?.answer({ value: { items: [one, other], nextAfter: null } });
  await second;
  expect(list.shown.value.items).toEqual([one, other]);
});

it("only the latest answer counts", async () => {
  const [slow, quick] = [list.load(), list.load()];
  asked[1]?.answer(page("new"));
  await quick;
  asked[0]?.answer(page("old"));
  await slow;
  expect(ids()).toBe("new");
  const late = list.load();
  list.forget();
  asked[2]?.answer(page("secret"));
  await late;
  expect(ids()).toBe("");
});

it("looking again takes nothing away from whoever has gone on in the list", async () => {
  const first = list.load();
  asked[0]?.answer(page("ab", "b"));
  await first;
  const again = list.refresh();
  asked[1]?.answer(page("xb", "b"));
  await again;
  expect(ids()).toBe("xb");
  const more = list.more();
  asked[2]?.answer(page("c"));
  await more;
  await list.refresh();
  expect([asked.length, ids()]).toEqual([3, "xbc"]);
});

it("a refusal leaves what was there, and says why", async () => {
  const first = list.load();
  asked[0]?.answer(page("a"));
  await first;
  const again = list.load();
  asked[1]?.answer({ problem: "Not now.", status: 503 });
  await again;
  expect([ids(), list.shown.value.problem, refusals]).toEqual(["a", "Not now.", [503]]);
});
