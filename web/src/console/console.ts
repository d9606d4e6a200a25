/** The console of a page: listens to the server, keeps what it says as signals, and carries out what is pressed. */

import { batch, computed, effect, type ReadonlySignal, signal } from "@preact/signals";
import { Announcer } from "../common/announcer";
import { BROWSER } from "../common/link";
import type { User } from "../common/people";
import { current, SERVER_GONE, signIn, signOut } from "../common/session";
import type { Notice } from "../common/view/notice";
import { type CallPage, failed, heard, loaded, type News, opened, outdates, resent } from "./call";
import * as calls from "./calls";
import { Catalogue } from "./catalogue";
import { Feed } from "./feed";
import { record } from "./json";
import * as lists from "./lists";
import { type CallDetail, entry, mediaSample, notification, sipMessage, summary } from "./protocol";
import { type Route, route } from "./route";
import type { Refusal } from "./server";
import * as server from "./server";
import { stateText } from "./wording";

/** Whether the server tells of what happens. */
export type Connection = "opening" | "open" | "lost";

export type Presence =
  /** Not known yet. */
  | { readonly type: "starting" }
  | { readonly type: "signedOut"; readonly problem: string }
  /** Signed in, but the console is not for them. */
  | { readonly type: "notAdministrator"; readonly user: User }
  | { readonly type: "signedIn"; readonly user: User };

const EVENTS = ["hello", "calls", "timeline", "notification", "sip", "media", "lost"] as const;

/** Often enough for the eye, and seldom enough for a page that draws a thousand calls. */
const SHOW_EVERY_MS = 80;
/** How long changes of a call are waited for before it is asked for again. */
const RELOAD_AFTER_MS = 300;
/** How often lists are looked at again that the server does not tell of. */
const REFRESH_EVERY_MS = 10_000;

/** A page that nobody sees for so long listens no more until somebody does. */
const UNSEEN_AFTER_MS = 60_000;

const SESSION_OVER = "You were signed out, because the session is over. Sign in again.";

export class Console {
  readonly presence = signal<Presence>({ type: "starting" });
  readonly route = signal<Route>({ section: "calls" });
  readonly connection = signal<Connection>("opening");
  readonly notice = signal<Notice | null>(null);
  readonly announcer = new Announcer();
  /** What time it is at the server. */
  readonly now = signal(Date.now());
  readonly overview = signal<lists.Overview | null>(null);

  readonly live = signal(calls.EMPTY);
  readonly ended = signal(calls.EMPTY);
  readonly which = signal<calls.Which>("live");
  readonly query = signal("");
  readonly page = signal<CallPage | null>(null);
  /** What the page is about, but for what changes every second. */
  readonly detail: ReadonlySignal<CallDetail | null> = computed(
    () => this.page.value?.detail ?? null,
  );

  readonly meetings = this.catalogue("meetings", lists.meeting);
  readonly users = this.catalogue("users", lists.user);
  readonly trunks = this.catalogue("trunks", lists.trunk);
  readonly applications = this.catalogue("applications", lists.application);

  /** The call whose page is shown. */
  readonly callId: ReadonlySignal<string | undefined> = computed(() => {
    const { value } = this.route;
    return "call" in value ? value.call : undefined;
  });

  /** Whether somebody may look at the page. A browser has few connections, which pages that nobody sees should not hold. */
  private readonly isSeen = signal(true);
  private hiding: ReturnType<typeof setTimeout> | undefined;
  private feed: Feed | undefined;
  /** What was told of and is not shown yet. */
  private news: News[] = [];
  private showing: ReturnType<typeof setTimeout> | undefined;
  private reloading: ReturnType<typeof setTimeout> | undefined;
  private asked = { live: 0, ended: 0, call: 0 };

  /** Finds out who is signed in, and begins. */
  async start(): Promise<void> {
    addEventListener("online", () => this.feed?.retry());
    addEventListener("offline", () => this.feed?.drop());
    addEventListener("hashchange", () => this.follow());
    document.addEventListener("visibilitychange", () => this.look());
    setInterval(() => this.tick(), 1000);
    setInterval(() => this.refresh(), REFRESH_EVERY_MS);
    this.route.value = route(location.hash);
    effect(() => this.listen());
    effect(() => this.open());
    const user = await current();
    if (user) await this.begin(user);
    else this.leave(user === null ? "" : SERVER_GONE);
  }

  async signIn(name: string, password: string): Promise<void> {
    const done = await signIn(name, password);
    if ("user" in done) await this.begin(done.user);
    else this.leave(done.problem);
  }

  async signOut(): Promise<void> {
    await signOut();
    this.leave("");
  }

  retry(): void {
    this.feed?.retry();
  }

  warn(text: string): void {
    this.notice.value = { text, tone: "problem" };
  }

  say(text: string): void {
    this.announcer.say(text);
  }

  /** Takes note of a refusal that is about who asks, whatever was asked. Returns whether it was. */
  readonly refused = ({ status }: Refusal): boolean => {
    const { value } = this.presence;
    if (value.type !== "signedIn") return false;
    if (status === 401) this.leave(SESSION_OVER);
    // It may be the application that is not allowed something, or the user who is no administrator any more.
    if (status === 403) void this.begin(value.user);
    return status === 401;
  };

  async moreCalls(which: calls.Which): Promise<void> {
    const list = which === "live" ? this.live : this.ended;
    const answer = await server.getCalls(which, list.value.nextAfter);
    if ("value" in answer) list.value = calls.continued(list.value, pageOf(answer.value));
    else if (!this.refused(answer)) this.warn(answer.problem);
  }

  async loadCalls(which: calls.Which): Promise<void> {
    const list = which === "live" ? this.live : this.ended;
    this.asked[which] += 1;
    const asked = this.asked[which];
    const answer = await server.getCalls(which, null);
    if (asked !== this.asked[which]) return;
    if ("value" in answer) list.value = calls.loaded(list.value, pageOf(answer.value), which);
    else if (!this.refused(answer)) this.warn(answer.problem);
  }

  /** Posts a notification to its callback once more. */
  async resend(sequence: number): Promise<void> {
    const call = this.callId.value;
    if (call === undefined) return;
    const answer = await server.resend(call, sequence);
    if (!("value" in answer)) {
      if (!this.refused(answer)) this.warn(`Not sent again: ${answer.problem}`);
      return;
    }
    const known = this.page.value?.detail?.notifications.find((one) => one.sequence === sequence);
    // The events tell of it, too, where they are not late.
    if (known) this.hear({ type: "notification", notification: resent(known, answer.value) });
    const { status, error } = answer.value;
    this.say(`Sent again: ${status === null ? (error ?? "no answer") : `answered ${status}`}`);
  }

  private catalogue<T extends { readonly id: string }>(
    path: string,
    read: (item: { readonly [field: string]: unknown }) => T | undefined,
  ): Catalogue<T> {
    const get = (after: string | null) => server.pageOf(path, { after }, read);
    return new Catalogue(get, (refusal) => void this.refused(refusal));
  }

  private async begin(user: User): Promise<void> {
    const answer = await server.getOverview();
    if ("value" in answer) {
      batch(() => {
        this.overview.value = answer.value;
        if (this.presence.value.type === "signedIn") return;
        this.notice.value = null;
        this.presence.value = { type: "signedIn", user };
      });
    } else if (answer.status === 403) {
      this.presence.value = { type: "notAdministrator", user };
    } else if (this.presence.value.type !== "signedIn") {
      this.leave(answer.status === 401 ? "" : answer.problem);
    }
  }

  private leave(problem: string): void {
    batch(() => {
      this.presence.value = { type: "signedOut", problem };
      this.notice.value = null;
      this.connection.value = "opening";
      this.overview.value = null;
      this.live.value = calls.EMPTY;
      this.ended.value = calls.EMPTY;
      this.page.value = null;
    });
    for (const list of this.catalogues()) list.forget();
  }

  private follow(): void {
    batch(() => {
      this.route.value = route(location.hash);
      this.notice.value = null;
    });
  }

  /** Listens to whatever the screen needs, as long as somebody is signed in. */
  private listen(): () => void {
    const call = this.callId.value;
    const { type } = this.presence.value;
    if (type !== "signedIn" || !this.isSeen.value) return () => {};
    const listener = {
      opened: () => this.opened(),
      heard: (event: string, data: unknown) => this.told(event, data),
      lost: (wasOpen: boolean) => void this.lost(wasOpen),
    };
    const around = { ...BROWSER, open: (address: string) => new EventSource(address) };
    const feed = new Feed(server.eventsAddress(call), EVENTS, listener, around);
    this.feed = feed;
    return () => {
      feed.close();
      this.forgetNews();
      if (this.feed === feed) this.feed = undefined;
    };
  }

  /** Begins with whatever a screen shows. */
  private open(): void {
    const { section } = this.route.value;
    const call = this.callId.value;
    if (this.presence.value.type !== "signedIn") return;
    this.page.value = call === undefined ? null : opened(call);
    for (const list of this.cataloguesOf(section)) void list.load();
  }

  /** The events have begun, so what is asked for from now on misses none. */
  private opened(): void {
    batch(() => {
      if (this.connection.value === "lost") this.say("The server is back");
      this.connection.value = "open";
      this.live.value = calls.reopened(this.live.value);
      this.ended.value = calls.reopened(this.ended.value);
    });
    void this.loadCalls("live");
    void this.loadCalls("ended");
    void this.count();
    if (this.callId.value !== undefined) void this.loadCall();
  }

  private async lost(wasOpen: boolean): Promise<void> {
    batch(() => {
      if (this.connection.value === "open") this.say("The server is gone; trying to get it back");
      this.connection.value = "lost";
    });
    if (wasOpen) return;
    // The stream may have been refused because the session is over; it does not say so itself.
    const { feed } = this;
    const user = await current();
    if (feed !== this.feed) return;
    if (user === null) return this.leave(SESSION_OVER);
    // Without events the page is a picture of the moment, which is better than none.
    if (!this.live.value.isLoaded) void this.loadCalls("live");
    if (this.page.value?.detail === null) void this.loadCall();
  }

  private async loadCall(): Promise<void> {
    const id = this.callId.value;
    if (id === undefined) return;
    this.asked.call += 1;
    const asked = this.asked.call;
    const answer = await server.getCall(id);
    const { value: page } = this.page;
    if (asked !== this.asked.call || page?.id !== id) return;
    if ("value" in answer) this.page.value = loaded(page, answer.value);
    else if (!this.refused(answer)) this.page.value = failed(page, answer.problem);
  }

  private told(event: string, data: unknown): void {
    const news = read(event, data);
    if (news) this.hear(news);
    // Too slow, or too much: what was missed is asked for once the stream is back.
    else if (event === "lost") this.feed?.drop();
  }

  private hear(news: News): void {
    this.news.push(news);
    this.showing ??= setTimeout(() => this.show(), SHOW_EVERY_MS);
  }

  private show(): void {
    const { news } = this;
    this.forgetNews();
    const state = this.page.value?.detail?.summary.state;
    batch(() => {
      for (const one of news) this.take(one);
    });
    const detail = this.page.value?.detail;
    if (detail && state !== undefined && detail.summary.state !== state) {
      this.say(`The call: ${stateText(detail.summary)}`);
    }
  }

  private take(news: News): void {
    if (news.type === "summary") {
      this.live.value = calls.told(this.live.value, news.summary, "live");
      this.ended.value = calls.told(this.ended.value, news.summary, "ended");
    }
    const { value: page } = this.page;
    if (!page || (news.type === "summary" && news.summary.id !== page.id)) return;
    this.page.value = heard(page, news);
    if (outdates(news)) {
      this.reloading ??= setTimeout(() => {
        this.reloading = undefined;
        void this.loadCall();
      }, RELOAD_AFTER_MS);
    }
  }

  private forgetNews(): void {
    clearTimeout(this.showing);
    this.showing = undefined;
    this.news = [];
  }

  private tick(): void {
    if (!document.hidden) this.now.value = server.clock.now(Date.now());
  }

  /** Somebody begins or ceases to see the page. */
  private look(): void {
    clearTimeout(this.hiding);
    if (!document.hidden) this.isSeen.value = true;
    else this.hiding = setTimeout(() => this.hide(), UNSEEN_AFTER_MS);
  }

  private hide(): void {
    this.isSeen.value = false;
  }

  private refresh(): void {
    if (document.hidden || this.presence.value.type !== "signedIn") return;
    for (const list of this.cataloguesOf(this.route.value.section)) void list.refresh();
    void this.count();
  }

  private async count(): Promise<void> {
    const answer = await server.getOverview();
    if ("value" in answer) this.overview.value = answer.value;
    else this.refused(answer);
  }

  private catalogues() {
    return [this.meetings, this.users, this.trunks, this.applications];
  }

  private cataloguesOf(section: Route["section"]) {
    switch (section) {
      case "meetings":
        return [this.meetings];
      case "users":
        return [this.users];
      case "trunks":
        return [this.trunks];
      case "applications":
        return [this.applications];
      case "test-call":
        return [this.applications, this.users];
      case "requests":
        return [this.applications, this.users, this.meetings];
      case "calls":
        return [];
    }
  }
}

function pageOf(page: server.PageOf<calls.Page["calls"][number]>): calls.Page {
  return { calls: page.items, nextAfter: page.nextAfter };
}

/** What an event tells of calls; `undefined` for one that tells nothing, or is of a later version. */
function read(event: string, data: unknown): News | undefined {
  const value = record(data);
  switch (event) {
    case "calls":
      return some(summary(value), (summary) => ({ type: "summary", summary }));
    case "timeline":
      return some(entry(value), (entry) => ({ type: "entry", entry }));
    case "notification":
      return some(notification(value), (one) => ({ type: "notification", notification: one }));
    case "sip":
      return some(sipMessage(value), (message) => ({ type: "sip", message }));
    case "media":
      return some(mediaSample(value), (sample) => ({ type: "media", sample }));
    default:
      return undefined;
  }
}

function some<T>(found: T | undefined, news: (found: T) => News): News | undefined {
  return found === undefined ? undefined : news(found);
}
