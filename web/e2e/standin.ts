/**
 * A server that speaks with the page as the real one does, for tests: sessions, the socket, calls. Its media are those of
 * a `FarSide`; whom a page calls, and what they do, tests say.
 */

import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import type { Person } from "../src/common/people";
import type { EndReason, FromServer, ListedCall, ToServer } from "../src/phone/protocol";
import type { Hall } from "./hall";

const DIST = join(import.meta.dirname, "../dist");
const POLICY = join(import.meta.dirname, "../../crates/pages/policy.txt");
const TYPES: { readonly [extension: string]: string } = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

export const JOHN = { id: "112f7296", name: "John", address: "sip:john@contoso.example" };
export const ALICE = { name: "Alice Adams", address: "sip:alice@contoso.example" };
export const PASSWORD = "dev-password";

/** What becomes of a call to a name. */
export type Callee = "answers" | "rings" | EndReason;

/** Answers the offers of a page. */
export type Answerer = (call: string, offer: string) => Promise<string>;

type Kept = { -readonly [field in keyof ListedCall]: ListedCall[field] };

export class StandIn {
  readonly received: ToServer[] = [];
  readonly calls = new Map<string, Kept>();
  readonly callees = new Map<string, Callee>();
  /** The meeting that is there, if there is one. */
  hall: Hall | undefined;
  /** While it is false, sockets are refused, as by a server that is starting. */
  takesSockets = true;
  private readonly sessions = new Set<string>();
  private readonly sockets = new Set<WebSocket>();
  private readonly http: Server;
  private readonly upgrades = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 });
  private counted = 0;

  private constructor(private readonly answerer: Answerer) {
    this.http = createServer((request, response) => void this.serve(request, response));
    this.http.on("upgrade", (request, socket, head) => {
      const whose = this.takesSockets && this.isOwn(request) && this.whose(request);
      if (whose) this.upgrades.handleUpgrade(request, socket, head, whose);
      else socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
    });
  }

  static async start(answerer: Answerer): Promise<StandIn> {
    const standIn = new StandIn(answerer);
    await new Promise<void>((resolve) => standIn.http.listen(0, "127.0.0.1", resolve));
    return standIn;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  /** Somebody calls whoever is signed in. */
  ring(from: Person, subject: string | null = null): string {
    this.counted += 1;
    const call = `s${this.counted}`;
    this.calls.set(call, kept(call, "incoming", from));
    this.say({ type: "incoming", call, from, subject });
    return call;
  }

  end(call: string, reason: EndReason): void {
    if (this.calls.delete(call)) this.say({ type: "ended", call, reason });
  }

  say(message: FromServer): void {
    for (const socket of this.sockets) socket.send(JSON.stringify(message));
  }

  /** Tears the connections of all sockets, without a word. */
  cut(): void {
    this.hall?.cut();
    for (const socket of this.sockets) socket.terminate();
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

  /** Who takes a socket; nobody where it is not allowed. */
  private whose(request: IncomingMessage): ((socket: WebSocket) => void) | undefined {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.origin);
    const isSignedIn = this.isSignedIn(request);
    const { hall } = this;
    if (pathname === "/hookswitch/v1/web/meeting/socket" && hall) {
      const user = isSignedIn ? JOHN : null;
      const page = searchParams.get("page") ?? "";
      return hall.isOpenTo(user) ? (socket) => hall.welcome(socket, page, user) : undefined;
    }
    return isSignedIn ? (socket) => this.welcome(socket) : undefined;
  }

  private welcome(socket: WebSocket): void {
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("message", (frame) => void this.hear(JSON.parse(String(frame)), socket));
    const calls = [...this.calls.values()].map((call) => ({
      ...call,
      since: call.since === null ? null : new Date(call.since).toISOString(),
    }));
    socket.send(JSON.stringify({ type: "welcome", user: JOHN, calls }));
  }

  private async hear(message: ToServer, socket: WebSocket): Promise<void> {
    this.received.push(message);
    const answer = async (offer: string) => {
      // A test that is over has closed the far side.
      const sdp = await this.answerer(message.call, offer).catch(() => null);
      if (sdp !== null) socket.send(JSON.stringify({ type: "answer", call: message.call, sdp }));
    };
    const call = this.calls.get(message.call);
    switch (message.type) {
      case "call":
        return this.called(message, answer);
      case "accept":
        if (call) connect(call);
        return answer(message.sdp);
      case "offer":
        return answer(message.sdp);
      case "hold":
        if (call) call.held = message.held;
        return;
      case "transfer":
        this.say({ type: "transfer", call: message.call, status: "accepted" });
        return;
      case "decline":
      case "hangUp":
        return this.end(message.call, message.type === "decline" ? "declined" : "hungUp");
    }
  }

  private async called(
    { call, to, sdp }: ToServer & { type: "call" },
    answer: (offer: string) => Promise<void>,
  ): Promise<void> {
    const becomes = this.callees.get(to) ?? "notFound";
    const made = kept(call, "outgoing", { name: to, address: to });
    this.calls.set(call, made);
    if (becomes !== "answers" && becomes !== "rings") return this.end(call, becomes);
    this.say({ type: "ringing", call, peer: null });
    if (becomes === "rings") return;
    connect(made);
    await answer(sdp);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.origin);
    if (pathname === "/hookswitch/v1/web/session") return this.session(request, response);
    if (pathname === "/hookswitch/v1/web/meeting") {
      const found = this.hall?.invitation(
        searchParams.get("url"),
        this.isSignedIn(request) ? JOHN : null,
      );
      response.writeHead(found ? 200 : 404, { "Content-Type": "application/json" });
      return void response.end(found && JSON.stringify(found));
    }
    if (pathname === "/far") return void response.setHeader("Content-Type", "text/html").end("<p>");
    const name = pageOf(pathname) ?? normalize(pathname);
    if (!name.endsWith(".html") && !name.startsWith("/assets/"))
      return void response.writeHead(404).end();
    const pictures = name === "meeting.html" ? "(self)" : "()";
    response.setHeader("Content-Security-Policy", readFileSync(POLICY, "utf8").trim());
    const devices = `microphone=(self), camera=${pictures}, display-capture=${pictures}`;
    response.setHeader("Permissions-Policy", devices);
    response.setHeader("Content-Type", TYPES[extname(name)] ?? "application/octet-stream");
    response.end(readFileSync(join(DIST, name)));
  }

  private async session(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (status: number, body?: object) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(body && JSON.stringify(body));
    };
    const wrong = { error: { code: "unauthorized", message: "who are you?" } };
    if (request.method === "GET") {
      return this.isSignedIn(request) ? reply(200, { user: JOHN }) : reply(401, wrong);
    }
    if (request.method === "DELETE") {
      this.forgetSessions();
      return reply(204);
    }
    const { user, password } = JSON.parse(await text(request));
    if (user !== "john" || password !== PASSWORD) return reply(401, wrong);
    const token = crypto.randomUUID();
    this.sessions.add(token);
    response.setHeader(
      "Set-Cookie",
      `hookswitch_session=${token}; HttpOnly; SameSite=Strict; Path=/`,
    );
    reply(200, { user: JOHN });
  }

  private isSignedIn(request: IncomingMessage): boolean {
    const token = /hookswitch_session=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    return token !== undefined && this.sessions.has(token);
  }

  private isOwn(request: IncomingMessage): boolean {
    return request.headers.origin === this.origin;
  }
}

function pageOf(pathname: string): string | undefined {
  if (pathname === "/phone") return "phone.html";
  return pathname.startsWith("/l/meetup-join/") ? "meeting.html" : undefined;
}

function kept(call: string, direction: "incoming" | "outgoing", peer: Person): Kept {
  return { call, direction, state: "ringing", peer, held: false, since: null };
}

function connect(call: Kept): void {
  call.state = "connected";
  call.since = Date.now();
}

async function text(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const piece of request) body += piece;
  return body;
}
