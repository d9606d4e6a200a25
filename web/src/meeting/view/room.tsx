import { useEffect, useRef, useState } from "preact/hooks";
import { NoticeLine } from "../../common/view/notice";
import type { Invitation } from "../invitation";
import type { Meeting } from "../meeting";
import { canShareScreen } from "../pictures";
import { calledBy, inside, mayManage, waiting } from "../roster";
import { countText, subjectText } from "../wording";
import { Messages } from "./app";
import { DevicesDialog, OwnToggles } from "./equipment";
import { onKey } from "./keys";
import { People } from "./people";
import { Tiles } from "./tiles";
import { Toggle } from "./toggle";

const PEOPLE_BUTTON = "people-button";

/** The meeting itself. */
export function Room({ meeting, invitation }: { meeting: Meeting; invitation: Invitation }) {
  const [hasPeople, setPeople] = useState(false);
  const [hasDevices, setDevices] = useState(false);
  const main = useRef<HTMLElement>(null);
  const visit = meeting.visit.value;
  const isAside = visit.stage === "held";

  // A button that is pressed may go away with whom it was about; the focus then goes back to the meeting.
  const waits = waiting(visit.people).length;
  useEffect(() => {
    if (document.activeElement === document.body) main.current?.focus({ preventScroll: true });
  }, [waits, meeting.notice.value, visit.screen]);
  useEffect(() => main.current?.focus(), []);
  useEffect(() => {
    const listener = onKey(meeting, () => setPeople((shown) => !shown));
    addEventListener("keydown", listener);
    return () => removeEventListener("keydown", listener);
  }, [meeting]);

  const closePeople = () => {
    setPeople(false);
    document.getElementById(PEOPLE_BUTTON)?.focus();
  };

  return (
    <div class={hasPeople ? "room room-people" : "room"}>
      <header class="top">
        <h1>{subjectText(invitation)}</h1>
        <p class={visit.mending ? "state state-trouble" : "state"}>
          {visit.mending ? "Getting the sound back…" : countText(inside(visit.people).length)}
        </p>
      </header>
      <div class="remarks">
        <Messages meeting={meeting}>
          {visit.screen !== "off" && (
            <NoticeLine tone="remark" text="You share your screen.">
              <button type="button" class="plain" onClick={() => void meeting.shareScreen(false)}>
                Stop sharing
              </button>
            </NoticeLine>
          )}
          {!hasPeople && <Doorbell meeting={meeting} look={() => setPeople(true)} />}
        </Messages>
      </div>
      <main class="pictures" tabIndex={-1} ref={main} aria-label="Pictures">
        {isAside ? (
          <div class="aside">
            <p class="lobby-text">You were taken aside for a while.</p>
            <p class="quiet">The others do not hear you. You come back by yourself.</p>
          </div>
        ) : (
          <Tiles meeting={meeting} />
        )}
      </main>
      {hasPeople && <People meeting={meeting} close={closePeople} />}
      <Bar
        meeting={meeting}
        hasPeople={hasPeople}
        togglePeople={() => setPeople(!hasPeople)}
        showDevices={() => setDevices(true)}
      />
      {hasDevices && <DevicesDialog meeting={meeting} close={() => setDevices(false)} />}
    </div>
  );
}

interface BarProps {
  readonly meeting: Meeting;
  readonly hasPeople: boolean;
  readonly togglePeople: () => void;
  readonly showDevices: () => void;
}

function Bar({ meeting, hasPeople, togglePeople, showDevices }: BarProps) {
  const visit = meeting.visit.value;
  const self = meeting.you.value;
  const isRaised = self !== undefined && self.hand !== null;
  const isSharing = visit.screen !== "off";
  const knocking = mayManage(self) ? waiting(visit.people).length : 0;
  return (
    <footer class="bar">
      <fieldset class="controls" aria-label="Meeting">
        <OwnToggles meeting={meeting} />
        {canShareScreen() && (
          <Toggle
            icon="screen"
            label="Share screen"
            pressed={isSharing}
            shortcut="s"
            press={() => void meeting.shareScreen(!isSharing)}
          />
        )}
        <Toggle
          icon="hand"
          label="Raise hand"
          pressed={isRaised}
          shortcut="h"
          press={() => meeting.feed({ type: "hand", raised: !isRaised })}
        />
        <Toggle
          id={PEOPLE_BUTTON}
          icon="people"
          label="People"
          expanded={hasPeople}
          shortcut="p"
          badge={knocking}
          press={togglePeople}
        />
        <Toggle icon="settings" label="Devices" press={showDevices} />
        <Toggle
          icon="hangUp"
          label="Leave"
          mood="leave"
          press={() => meeting.feed({ type: "leave" })}
        />
      </fieldset>
    </footer>
  );
}

/** Somebody waits in the lobby, and may be let in from here. */
function Doorbell({ meeting, look }: { meeting: Meeting; look: () => void }) {
  const visit = meeting.visit.value;
  const knocking = mayManage(meeting.you.value) ? waiting(visit.people) : [];
  const [first, ...others] = knocking;
  if (!first) return null;
  if (others.length > 0) {
    return (
      <NoticeLine tone="remark" text={`${knocking.length} people wait in the lobby.`}>
        <button type="button" class="plain" onClick={look}>
          Show
        </button>
      </NoticeLine>
    );
  }
  const name = calledBy(first);
  return (
    <NoticeLine tone="remark" text={`${name} waits in the lobby.`}>
      <span class="pair">
        <button
          type="button"
          class="plain"
          aria-label={`Deny ${name}`}
          onClick={() => meeting.feed({ type: "remove", participant: first.id })}
        >
          Deny
        </button>
        <button
          type="button"
          class="primary"
          aria-label={`Admit ${name}`}
          onClick={() => meeting.feed({ type: "admit", participant: first.id })}
        >
          Admit
        </button>
      </span>
    </NoticeLine>
  );
}
