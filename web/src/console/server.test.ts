import { afterEach, expect, it, vi } from "vitest";
import { createCall, eventsAddress, getCall, getCalls, getToken, resend, testCall } from "./server";

const request = vi.fn<typeof fetch>();
vi.stubGlobal("fetch", request);
afterEach(() => request.mockReset());

function answers(status: number, body: unknown, headers: HeadersInit = {}): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  request.mockResolvedValueOnce(new Response(text, { status, headers }));
}

const asked = () => request.mock.calls.map(([address, options]) => [options?.method, address]);

it("lists are asked for page by page", async () => {
  answers(200, { value: [{ id: "1" }, 7], nextAfter: "1" });
  const answer = await getCalls("live", "a&b");
  expect(answer).toMatchObject({ value: { items: [{ id: "1" }], nextAfter: "1" } });
  expect(asked()).toEqual([
    ["GET", "/hookswitch/v1/console/calls?state=live&after=a%26b&limit=100"],
  ]);
});

it("ids in addresses cannot be anything but ids", async () => {
  answers(404, { error: { code: "itemNotFound", message: "There is no such call." } });
  expect(await getCall("../users?a=b")).toEqual({
    problem: "There is no such call.",
    status: 404,
  });
  expect(asked()).toEqual([["GET", "/hookswitch/v1/console/calls/..%2Fusers%3Fa%3Db"]]);
  expect(eventsAddress("a&b")).toBe("/hookswitch/v1/console/events?call=a%26b");
  expect(eventsAddress(undefined)).toBe("/hookswitch/v1/console/events");
});

it("a refusal without a message says when to try again", async () => {
  answers(429, "<p>slow down", { "Retry-After": "7" });
  expect(await resend("1", 2)).toEqual({
    problem: "The server answered 429. Try again in 7 seconds.",
    status: 429,
  });
  answers(200, { other: true });
  expect(await testCall("a", "", "john")).toMatchObject({
    problem: "The server answered something else than expected.",
  });
  request.mockRejectedValueOnce(new TypeError("no network"));
  expect(await getToken("a", "")).toMatchObject({ status: 0 });
});

it("requests of applications carry a token and no cookie", async () => {
  answers(201, { id: "57da" }, { Location: "/x", "X-Other": "y", "Request-Id": "r" });
  const answer = await createCall("t0ken", "{}");
  expect(answer).toMatchObject({ value: { status: 201, body: '{"id":"57da"}' } });
  const headers = "value" in answer ? answer.value.headers.map(([name]) => name) : [];
  expect(headers).toEqual(["location", "content-type", "request-id"]);
  const [, options] = request.mock.calls[0] ?? [];
  expect(options?.credentials).toBe("omit");
  expect(options?.headers).toMatchObject({ Authorization: "Bearer t0ken" });
});
