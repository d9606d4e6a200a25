import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Mark } from "../../common/view/mark";
import { NoticeLine, Notices } from "../../common/view/notice";
import type { Invitation } from "../invitation";
import type { Meeting } from "../meeting";
import { mayManage, waiting } from "../roster";
import { endedText, subjectText } from "../wording";
import { Before } from "./before";
import { Room } from "./room";

export function App({ meeting }: { meeting: Meeting }) {
  return (
    <>
      <Screen meeting={meeting} />
      <p class="unseen" role="status">
        {meeting.announcer.text.value}
      </p>
      <Title meeting={meeting} />
    </>
  );
}

function Screen({ meeting }: { meeting: Meeting }) {
  const door = meeting.door.value;
  if (door.type === "starting") return <p class="starting">One moment…</p>;
  if (door.type === "none") {
    return (
      <Sheet title="There is no such meeting">
        <p class="quiet">
          Check the link: it has to be whole. A meeting that was cancelled has none any more.
        </p>
      </Sheet>
    );
  }
  if (door.type === "unknown") {
    return (
      <Sheet title="The server does not answer">
        <p class="quiet">Check that it runs and that this computer has a network.</p>
        <button type="button" class="primary" onClick={() => void meeting.begin()}>
          Try again
        </button>
      </Sheet>
    );
  }
  return <Stage meeting={meeting} invitation={door.invitation} />;
}

function Stage({ meeting, invitation }: { meeting: Meeting; invitation: Invitation }) {
  const { stage, ending } = meeting.visit.value;
  const leave = () => meeting.feed({ type: "leave" });
  switch (stage) {
    case "before":
    case "joining":
      return <Before meeting={meeting} invitation={invitation} isBusy={stage === "joining"} />;
    case "returning":
      return (
        <Sheet title="Coming back to the meeting…">
          <Messages meeting={meeting} />
          <button type="button" class="plain" onClick={leave}>
            Leave
          </button>
        </Sheet>
      );
    case "lobby":
      return (
        <Sheet title={subjectText(invitation)}>
          <p class="lobby-text">Somebody will let you in soon.</p>
          <p class="quiet">You are in the lobby. Nobody hears or sees you yet.</p>
          <Messages meeting={meeting} />
          <button type="button" class="plain" onClick={leave}>
            Leave
          </button>
        </Sheet>
      );
    case "in":
    case "held":
      return <Room meeting={meeting} invitation={invitation} />;
    case "ended":
      return (
        <Sheet title={endedText(ending ?? "left")}>
          <p class="quiet">{subjectText(invitation)}</p>
          <Messages meeting={meeting} />
          <button type="button" class="primary" onClick={() => void meeting.joinAgain()}>
            Join again
          </button>
        </Sheet>
      );
  }
}

/** A page with one thing to say. Whoever cannot see it begins to read at its title. */
function Sheet({ title, children }: { title: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [title]);
  return (
    <main class="alone">
      <div class="sheet sheet-text">
        <Mark />
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        {children}
      </div>
    </main>
  );
}

/** What went wrong, whether there is a server, and whether the browser lets it be heard. */
export function Messages({
  meeting,
  children,
}: {
  meeting: Meeting;
  children?: ComponentChildren;
}) {
  return (
    <Notices
      notice={meeting.notice}
      isConnected={meeting.connected.value}
      lost="The server cannot be reached. The page tries again by itself."
      retry={() => meeting.retry()}
    >
      {meeting.silent.value && (
        <NoticeLine tone="remark" text="The browser keeps this page silent until you press this.">
          <button type="button" class="plain" onClick={() => meeting.play()}>
            Let me hear
          </button>
        </NoticeLine>
      )}
      {children}
    </Notices>
  );
}

/** The title of the page: what the meeting is about, and how many wait for whoever lets them in. */
function Title({ meeting }: { meeting: Meeting }) {
  const door = meeting.door.value;
  const subject = door.type === "found" ? subjectText(door.invitation) : "Meeting";
  const count = mayManage(meeting.you.value) ? waiting(meeting.visit.value.people).length : 0;
  const title = count > 0 ? `(${count}) ${subject}` : subject;
  useEffect(() => {
    document.title = title;
  }, [title]);
  return null;
}
