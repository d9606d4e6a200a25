/** A server that tells the console of calls as the real one does, for tests. What happens in its calls, tests say. */

import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const DIST = join(import.meta.dirname, "../dist");
const POLICY = join(import.meta.dirname, "../../crates/pages/policy.txt");
const TYPES: { readonly [extension: string]: string } = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};
const CONSOLE = "/hookswitch/v1/console/";

export const PASSWORD = "dev-password";
export const CONTOSO = { id: "aa67bd4c-8475-432d-bd41-39f255720e0a", name: "Contoso" };
export const BOT = { id: "2891555a-92ff-42e6-80fa-6e1300c6b5c6", name: "Calling Bot" };

const SIGNED_IN: { readonly [user: string]: object } = {
  john: { user: { id: "112f7296", name: "John", address: "john@localhost" }, administrator: true },
  user1: {
    user: { id: "98da8a1a", name: "user1", address: "user1@localhost" },
    administrator: false,
  },
};

/** Whatever is sent, as it is on the wire. */
export type Wire = { readonly [field: string]: unknown };

export interface Attempt {
  readonly number: number;
  readonly at: string;
  readonly durationMs: number;
  readonly status: number | null;
  readonly error: string | null;
  readonly resend: boolean;
}

/** A notification that tests have said of. */
export interface Note extends Wire {
  readonly sequence: number;
  readonly attempts: readonly Attempt[];
}

/** A call of the stand-in. */
interface Kept {
  summary: Wire & { readonly id: string };
  readonly operations: Wire[];
  readonly notifications: Note[];
  readonly timeline: Wire[];
  readonly sip: Wire[];
  media: Wire | null;
  isRemembered: boolean;
}

interface Stream {
  readonly response: ServerResponse;
  readonly call: string | null;
}

export class ConsoleStandIn {
  readonly calls = new Map<string, Kept>();
  readonly lists: { [name: string]: readonly Wire[] } = {};
  /** Bodies that were posted, with whatever authorised them. */
  readonly posted: { readonly path: string; readonly body: Wire; readonly by: string }[] = [];
  readonly administrators = new Set(["john"]);
  /** How webhooks answer resends. */
  webhookStatus: number | null = 202;
  /** While it is false, streams are refused, as by a server that is starting. */
  takesStreams = true;
  private readonly sessions = new Map<string, string>();
  private readonly streams = new Set<Stream>();
  private readonly http: Server;
  private counted = 0;

  private constructor() {
    this.http = createServer((request, response) => void this.serve(request, response));
  }

  static async start(): Promise<ConsoleStandIn> {
    const standIn = new ConsoleStandIn();
    await new Promise<void>((resolve) => standIn.http.listen(0, "127.0.0.1", resolve));
    return standIn;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  get streamed(): readonly (string | null)[] {
    return [...this.streams].map(({ call }) => call);
  }

  /** A call that began at `since`, milliseconds since 1970. */
  begin(id: string, since: number, more: Wire = {}): string {
    this.calls.set(id, {
      summary: {
        id,
        app: BOT,
        tenant: CONTOSO,
        state: "establishing",
        direction: "outgoing",
        kind: "peerToPeer",
        who: "John",
        subject: null,
        held: false,
        since: iso(since),
        answered: null,
        ended: null,
        result: null,
        notifications: 0,
        ...more,
      },
      operations: [],
      notifications: [],
      timeline: [],
      sip: [],
      media: null,
      isRemembered: true,
    });
    this.tell("calls", this.kept(id).summary);
    return id;
  }

  change(id: string, changes: Wire): void {
    const call = this.kept(id);
    call.summary = { ...call.summary, ...changes };
    this.tell("calls", call.summary);
  }

  forgetDetails(id: string): void {
    this.kept(id).isRemembered = false;
  }

  enter(id: string, at: number, lane: string, what: string, text = "", ref?: string): void {
    const entry = { sequence: this.count(), at: iso(at), lane, what, text, ref: ref ?? null };
    this.kept(id).timeline.push(entry);
    this.tell("timeline", entry, id);
  }

  operate(id: string, operation: Wire): void {
    this.kept(id).operations.push(operation);
  }

  notify(id: string, note: Note): void {
    const { notifications } = this.kept(id);
    const at = notifications.findIndex(({ sequence }) => sequence === note.sequence);
    if (at < 0) notifications.push(note);
    else notifications[at] = note;
    this.tell("notification", note, id);
  }

  say(id: string, at: number, message: Wire): void {
    const whole = { sequence: this.count(), at: iso(at), isCut: false, ...message };
    this.kept(id).sip.push(whole);
    this.tell("sip", whole, id);
  }

  measure(id: string, at: number, participants: readonly Wire[]): void {
    const sample = { at: iso(at), participants };
    this.kept(id).media = sample;
    this.tell("media", sample, id);
  }

  /** Tells all streams, or those that watch a call. */
  tell(event: string, data: Wire, call?: string): void {
    for (const stream of this.streams) {
      if (call === undefined || stream.call === call) write(stream.response, event, data);
    }
  }

  /** Tears all streams, without a word. */
  cut(): void {
    for (const { response } of this.streams) response.destroy();
    this.streams.clear();
  }

  forgetSessions(): void {
    this.sessions.clear();
    this.cut();
  }

  async stop(): Promise<void> {
    this.cut();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  private live(): readonly Kept[] {
    return [...this.calls.values()].filter(({ summary }) => summary["state"] !== "terminated");
  }

  private kept(id: string): Kept {
    const call = this.calls.get(id);
    if (!call) throw new Error(`there is no call ${id}`);
    return call;
  }

  private count(): number {
    this.counted += 1;
    return this.counted;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.origin);
    if (pathname === "/hookswitch/v1/web/session") return this.session(request, response);
    if (pathname === "/v1.0/communications/calls") return this.create(request, response);
    if (pathname.startsWith(CONSOLE)) {
      const refused = this.refusal(request);
      if (refused) return reply(response, refused, { error: { code: "no", message: "" } });
      const path = pathname.slice(CONSOLE.length);
      if (request.method === "POST") return this.post(path, request, response);
      return this.get(path, searchParams, response);
    }
    const name = pathname === "/console" ? "console.html" : normalize(pathname);
    if (name !== "console.html" && !name.startsWith("/assets/")) {
      return void response.writeHead(404).end();
    }
    response.setHeader("Content-Security-Policy", readFileSync(POLICY, "utf8").trim());
    response.setHeader("Content-Type", TYPES[extname(name)] ?? "application/octet-stream");
    response.end(readFileSync(join(DIST, name)));
  }

  private get(path: string, query: URLSearchParams, response: ServerResponse): void {
    if (path === "events") return this.stream(query.get("call"), response);
    if (path === "overview") {
      return reply(response, 200, {
        version: "0.1.0",
        startedAt: iso(Date.now() - 7_500_000),
        uptimeSeconds: 7500,
        counts: {
          calls: this.live().length,
          conferences: 1,
          registeredUsers: 3,
          pages: 1,
          mediaLegs: 4,
          trunkCalls: 3,
          trunksUp: 1,
          trunksDown: 1,
        },
      });
    }
    if (path === "calls") return this.listCalls(query, response);
    const list = this.lists[path];
    if (list) return reply(response, 200, { value: list, nextAfter: null });
    const [, id, file] = /^calls\/([^/]+)(\/timeline\.json)?$/.exec(path) ?? [];
    const call = this.calls.get(decodeURIComponent(id ?? ""));
    const gone = { error: { code: "itemNotFound", message: "There is no such call." } };
    if (!call) return reply(response, 404, gone);
    if (file) response.setHeader("Content-Disposition", `attachment; filename="call-${id}.json"`);
    reply(response, 200, {
      ...call,
      call: { "@odata.type": "#microsoft.graph.call", ...call.summary },
      moreNotifications: false,
      timelineDropped: 0,
      sipDropped: 0,
    });
  }

  /** A page of the list, newest first. */
  private listCalls(query: URLSearchParams, response: ServerResponse): void {
    const isEnded = query.get("state") === "ended";
    const all = [...this.calls.values()]
      .map(({ summary }) => summary)
      .filter(({ state }) => (state === "terminated") === isEnded)
      .sort((a, b) => String(b["since"]).localeCompare(String(a["since"])));
    const begin = all.findIndex(({ id }) => id === query.get("after")) + 1;
    const end = begin + Number(query.get("limit") ?? 50);
    const value = all.slice(begin, end);
    reply(response, 200, { value, nextAfter: end < all.length ? value.at(-1)?.id : null });
  }

  private stream(call: string | null, response: ServerResponse): void {
    if (!this.takesStreams) return void response.writeHead(503).end();
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    const stream = { response, call };
    this.streams.add(stream);
    response.on("close", () => this.streams.delete(stream));
    write(response, "hello", {});
  }

  private async post(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await json(request);
    this.posted.push({ path, body, by: request.headers.cookie ?? "" });
    const [, call, sequence] = /^calls\/([^/]+)\/notifications\/(\d+)\/resend$/.exec(path) ?? [];
    if (call && sequence) return this.resend(call, Number(sequence), response);
    if (path === "token") {
      return reply(response, 200, {
        access_token: `token-of-${body["app"]}`,
        token_type: "Bearer",
        expires_in: 300,
        tenant: body["tenant"],
      });
    }
    if (path === "test-call" && body["to"] === "nobody") {
      const message = "Nobody is called so.";
      return reply(response, 400, { error: { code: "badRequest", message } });
    }
    if (path === "test-call" && body["app"] !== BOT.id) {
      const message = "The application may not call anybody.";
      return reply(response, 403, { error: { code: "Forbidden", message } });
    }
    if (path !== "test-call") return reply(response, 404, {});
    const id = this.begin(`test-${this.count()}`, Date.now(), { who: String(body["to"]) });
    reply(response, 201, { id });
  }

  private resend(call: string, sequence: number, response: ServerResponse): void {
    const note = this.kept(call).notifications.find((one) => one.sequence === sequence);
    if (!note) return reply(response, 404, {});
    const status = this.webhookStatus;
    const attempt: Attempt = {
      number: note.attempts.filter(({ resend }) => resend).length + 1,
      at: iso(Date.now()),
      durationMs: 9,
      status,
      error: status === null ? "connection refused" : null,
      resend: true,
    };
    this.notify(call, { ...note, attempts: [...note.attempts, attempt] });
    reply(response, 200, { attempt });
  }

  /** What applications ask of the API: by a token, not by a cookie. */
  private async create(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await json(request);
    const by = request.headers.cookie ?? request.headers.authorization ?? "";
    this.posted.push({ path: "/v1.0/communications/calls", body, by });
    response.setHeader("request-id", "c9b2a1d4-0000-4000-8000-000000000001");
    if (!Array.isArray(body["targets"])) {
      const message = "Nobody is called.";
      return reply(response, 400, { error: { code: "badRequest", message } });
    }
    const id = this.begin(`made-${this.count()}`, Date.now());
    response.setHeader("Location", `${this.origin}/v1.0/communications/calls/${id}`);
    reply(response, 201, { "@odata.type": "#microsoft.graph.call", id, state: "establishing" });
  }

  private async session(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const wrong = { error: { code: "unauthorized", message: "who are you?" } };
    if (request.method === "GET") {
      const user = SIGNED_IN[this.user(request) ?? ""];
      return user ? reply(response, 200, user) : reply(response, 401, wrong);
    }
    if (request.method === "DELETE") {
      this.forgetSessions();
      return void response.writeHead(204).end();
    }
    const { user, password } = await json(request);
    const found = SIGNED_IN[String(user)];
    if (!found || password !== PASSWORD) return reply(response, 401, wrong);
    const token = crypto.randomUUID();
    this.sessions.set(token, String(user));
    const cookie = `hookswitch_session=${token}; HttpOnly; SameSite=Strict; Path=/`;
    response.setHeader("Set-Cookie", cookie);
    reply(response, 200, found);
  }

  private user(request: IncomingMessage): string | undefined {
    const token = /hookswitch_session=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    return token === undefined ? undefined : this.sessions.get(token);
  }

  /** The status with which somebody is refused; `undefined` for an administrator. */
  private refusal(request: IncomingMessage): number | undefined {
    const user = this.user(request);
    if (user === undefined) return 401;
    return this.administrators.has(user) ? undefined : 403;
  }
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}

function write(response: ServerResponse, event: string, data: Wire): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(JSON.stringify(body));
}

async function json(request: IncomingMessage): Promise<Wire> {
  let body = "";
  for await (const piece of request) body += piece;
  return JSON.parse(body || "{}");
}
