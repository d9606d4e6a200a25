import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../../common/view/icons";
import { Avatar } from "../../common/view/person";
import type { Meeting } from "../meeting";
import type { Participant } from "../protocol";
import { calledBy, inside, listed, mayManage, waiting } from "../roster";
import { aboutText } from "../wording";

/** Who is there, who waits, and what may be done about them. */
export function People({ meeting, close }: { meeting: Meeting; close: () => void }) {
  const panel = useRef<HTMLElement>(null);
  const [leaving, setLeaving] = useState<Participant | null>(null);
  const { people, you } = meeting.visit.value;
  useEffect(() => panel.current?.focus(), []);
  // Whoever was admitted takes the pressed button along.
  useEffect(() => {
    if (document.activeElement === document.body) panel.current?.focus();
  }, [people]);
  const closeByKey = (event: KeyboardEvent) => {
    if (event.key === "Escape" && !leaving) close();
  };
  const mayAct = mayManage(meeting.you.value);
  return (
    <aside class="people" aria-labelledby="people" tabIndex={-1} ref={panel} onKeyDown={closeByKey}>
      <div class="people-top">
        <h2 id="people">People ({inside(people).length})</h2>
        <button type="button" class="square" aria-label="Close the list" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {mayAct && <Lobby meeting={meeting} people={waiting(people)} />}
      <ul class="list" aria-label="In the meeting">
        {listed(people, you).map((one) => (
          <Entry
            key={one.id}
            meeting={meeting}
            person={one}
            mayAct={mayAct && one.id !== you}
            remove={() => setLeaving(one)}
          />
        ))}
      </ul>
      {leaving && <Removal meeting={meeting} person={leaving} close={() => setLeaving(null)} />}
    </aside>
  );
}

function Lobby({ meeting, people }: { meeting: Meeting; people: readonly Participant[] }) {
  if (people.length === 0) return null;
  return (
    <section class="lobby" aria-labelledby="lobby">
      <div class="people-top">
        <h3 id="lobby" class="small">
          In the lobby ({people.length})
        </h3>
        {people.length > 1 && (
          <button
            type="button"
            class="plain"
            onClick={() => meeting.feed({ type: "admit", participant: null })}
          >
            Admit all
          </button>
        )}
      </div>
      <ul class="list">
        {people.map((one) => (
          <li key={one.id}>
            <Name person={one} note="" />
            <button
              type="button"
              class="square"
              aria-label={`Deny ${calledBy(one)}`}
              title="Deny"
              onClick={() => meeting.feed({ type: "remove", participant: one.id })}
            >
              <Icon name="close" />
            </button>
            <button
              type="button"
              class="primary square-primary"
              aria-label={`Admit ${calledBy(one)}`}
              title="Admit"
              onClick={() => meeting.feed({ type: "admit", participant: one.id })}
            >
              <Icon name="admit" />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface EntryProps {
  readonly meeting: Meeting;
  readonly person: Participant;
  readonly mayAct: boolean;
  readonly remove: () => void;
}

function Entry({ meeting, person, mayAct, remove }: EntryProps) {
  const visit = meeting.visit.value;
  const isSelf = person.id === visit.you;
  const isMuted = isSelf ? visit.muted : person.isMuted;
  const note = [
    isSelf && "You",
    aboutText(person),
    person.hand !== null && "raises a hand",
    person.screen && "shares the screen",
    isMuted ? "muted" : visit.speaker === person.id && "speaks",
  ];
  return (
    <li class={visit.speaker === person.id && !isMuted ? "speaks" : undefined}>
      <Name person={person} note={note.filter(Boolean).join(" · ")} />
      {person.hand !== null && (
        <span class="sign sign-hand">
          <Icon name="hand" />
        </span>
      )}
      {mayAct && !isMuted && (
        <button
          type="button"
          class="square"
          aria-label={`Mute ${calledBy(person)}`}
          title="Mute"
          onClick={() => meeting.feed({ type: "muteOther", participant: person.id })}
        >
          <Icon name="microphone" />
        </button>
      )}
      {isMuted && (
        <span class="sign">
          <Icon name="microphoneOff" />
        </span>
      )}
      {mayAct && (
        <button
          type="button"
          class="square"
          aria-label={`Remove ${calledBy(person)}`}
          title="Remove"
          onClick={remove}
        >
          <Icon name="signOut" />
        </button>
      )}
    </li>
  );
}

function Name({ person, note }: { person: Participant; note: string }) {
  return (
    <>
      <Avatar person={{ name: person.name, address: "" }} />
      <div class="who">
        <strong>{calledBy(person)}</strong>
        {note && <span class="quiet">{note}</span>}
      </div>
    </>
  );
}

/** Nobody is sent away by a slip of the hand. */
function Removal(props: { meeting: Meeting; person: Participant; close: () => void }) {
  const { meeting, person, close } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const remove = () => {
    meeting.feed({ type: "remove", participant: person.id });
    dialog.current?.close();
  };
  return (
    <dialog ref={dialog} class="card" aria-labelledby="removal" onClose={close}>
      <h2 id="removal">Send {calledBy(person)} out of the meeting?</h2>
      <div class="choice">
        <button type="button" class="plain" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
        <button type="button" class="danger" onClick={remove}>
          Send out
        </button>
      </div>
    </dialog>
  );
}
