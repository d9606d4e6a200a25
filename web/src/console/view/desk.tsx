import { useEffect, useRef } from "preact/hooks";
import { named, type User } from "../../common/people";
import { Icon } from "../../common/view/icons";
import { Mark } from "../../common/view/mark";
import { Notices } from "../../common/view/notice";
import type { Connection, Console } from "../console";
import { address, type Route, SECTIONS, type Section } from "../route";
import { counted, span, whoText } from "../wording";
import { CallScreen } from "./call";
import { Calls } from "./calls";
import { Composer } from "./composer";
import { Applications, Meetings, Trunks, Users } from "./lists";
import { SIGN_OF_SECTION, Sign } from "./signs";
import { TestCall } from "./test_call";

/** The console of whoever is signed in. */
export function Desk({ desk, user }: { desk: Console; user: User }) {
  const route = desk.route.value;
  const key = address(route);
  const title = titleOf(desk, route);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);

  useEffect(() => {
    document.title = `${title} · Console`;
  }, [title]);

  // Whoever follows a link goes on reading there, not at the link.
  useEffect(() => {
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    isFirst.current = false;
    // On a narrow screen the sections are a strip of which only a part is seen.
    document.querySelector(".sections [aria-current]")?.scrollIntoView({ block: "nearest" });
  }, [key]);

  return (
    <div class="console">
      <Header desk={desk} user={user} />
      <Sections desk={desk} shown={route.section} />
      <main class="screen" ref={main} tabIndex={-1} aria-label={title}>
        <Notices
          notice={desk.notice}
          isConnected={desk.connection.value !== "lost"}
          lost="The server cannot be reached. What is shown may be old; the console tries again by itself."
          retry={() => desk.retry()}
        />
        <Screen key={key} desk={desk} route={route} />
      </main>
    </div>
  );
}

function titleOf(desk: Console, route: Route): string {
  if (!("call" in route)) return SECTIONS[route.section];
  const summary = desk.detail.value?.summary;
  return summary ? `Call with ${whoText(summary)}` : "Call";
}

function Screen({ desk, route }: { desk: Console; route: Route }) {
  if ("call" in route) return <CallScreen desk={desk} />;
  switch (route.section) {
    case "calls":
      return <Calls desk={desk} />;
    case "meetings":
      return <Meetings desk={desk} />;
    case "users":
      return <Users desk={desk} />;
    case "trunks":
      return <Trunks desk={desk} />;
    case "applications":
      return <Applications desk={desk} />;
    case "test-call":
      return <TestCall desk={desk} />;
    case "requests":
      return <Composer desk={desk} />;
  }
}

const CONNECTIONS: { readonly [connection in Connection]: string } = {
  opening: "One moment…",
  open: "Live",
  lost: "Looking for the server…",
};

function Header({ desk, user }: { desk: Console; user: User }) {
  const connection = desk.connection.value;
  const overview = desk.overview.value;
  return (
    <header class="bar">
      <Mark />
      <div class="who">
        <strong>Console</strong>
        <span class={connection === "open" ? "presence" : "presence presence-off"}>
          {CONNECTIONS[connection]}
          {connection === "open" && overview && (
            <span class="extra">
              {overview.version && ` · version ${overview.version}`} · up for{" "}
              {span(overview.uptimeSeconds)}
            </span>
          )}
        </span>
      </div>
      <span class="me">{named(user)}</span>
      <button
        type="button"
        class="square"
        aria-label="Sign out"
        onClick={() => void desk.signOut()}
      >
        <Icon name="signOut" />
      </button>
    </header>
  );
}

function Sections({ desk, shown }: { desk: Console; shown: Section }) {
  const live = desk.live.value.calls.length;
  const hasMore = desk.live.value.nextAfter !== null;
  return (
    <nav class="sections" aria-label="Sections">
      <ul>
        {(Object.keys(SECTIONS) as Section[]).map((section) => (
          <li key={section}>
            <a href={address({ section })} aria-current={section === shown ? "page" : undefined}>
              <Sign name={SIGN_OF_SECTION[section]} />
              {SECTIONS[section]}
              {section === "calls" && live > 0 && (
                <span class="count" title={counted(live, "live call")}>
                  {live}
                  {hasMore && "+"}
                </span>
              )}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
