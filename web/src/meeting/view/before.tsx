import { useEffect, useRef, useState } from "preact/hooks";
import { Mark } from "../../common/view/mark";
import { Avatar } from "../../common/view/person";
import { SignInForm } from "../../common/view/sign_in";
import { form, habits } from "../habits";
import type { Invitation } from "../invitation";
import type { Meeting } from "../meeting";
import { subjectText, timeText } from "../wording";
import { Messages } from "./app";
import { DeviceChoices, Level, OwnToggles } from "./equipment";
import { OwnPicture } from "./picture";

interface Props {
  readonly meeting: Meeting;
  readonly invitation: Invitation;
  /** One has asked to come in. */
  readonly isBusy: boolean;
}

/** Before the door: what it is about, who one is, and how one is seen and heard. */
export function Before({ meeting, invitation, isBusy }: Props) {
  const [name, setName] = useState(habits().name);
  const [wantsSignIn, setWantsSignIn] = useState(false);
  const { user, guests } = invitation;
  const signsIn = user === null && (wantsSignIn || !guests);
  return (
    <main class="before">
      <header class="about">
        <Mark />
        <div class="who">
          <h1>{subjectText(invitation)}</h1>
          <p class="quiet">
            {invitation.organizer && `${invitation.organizer} invites you`}
            {invitation.organizer && invitation.startsAt !== null && " · "}
            {timeText(invitation)}
          </p>
        </div>
      </header>
      <Messages meeting={meeting} />
      <Preview meeting={meeting} name={user?.name ?? name} />
      <div class="entrance">
        {signsIn ? (
          <SignInForm
            title="Sign in"
            hint={
              guests
                ? "Sign in with the name and password of your phone."
                : "This meeting is not open to guests. Sign in with the name and password of your phone."
            }
            problem={meeting.signInProblem.value}
            signIn={(name, password) => meeting.signIn(name, password)}
          >
            {guests && (
              <button type="button" class="plain" onClick={() => setWantsSignIn(false)}>
                Join as a guest
              </button>
            )}
          </SignInForm>
        ) : (
          <Entrance
            meeting={meeting}
            invitation={invitation}
            isBusy={isBusy}
            name={name}
            setName={setName}
            signIn={() => setWantsSignIn(true)}
          />
        )}
      </div>
      <section class="card choices" aria-labelledby="choices">
        <h2 id="choices" class="small">
          Devices
        </h2>
        <DeviceChoices meeting={meeting} />
        <Level track={meeting.equipment.microphone.value} />
      </section>
    </main>
  );
}

function Preview({ meeting, name }: { meeting: Meeting; name: string }) {
  const track = meeting.equipment.camera.value;
  return (
    <section class="preview" aria-label="Preview">
      <div class="tile">
        {track ? (
          <OwnPicture label="Preview of your camera" track={track} isMirrored />
        ) : (
          <>
            <Avatar person={{ name: name || "You", address: name }} large />
            <p class="quiet preview-text">Your camera is off</p>
          </>
        )}
      </div>
      <fieldset class="controls" aria-label="Microphone and camera">
        <OwnToggles meeting={meeting} />
      </fieldset>
    </section>
  );
}

interface EntranceProps extends Props {
  readonly name: string;
  readonly setName: (name: string) => void;
  readonly signIn: () => void;
}

function Entrance({ meeting, invitation, isBusy, name, setName, signIn }: EntranceProps) {
  const { user } = invitation;
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!name) field.current?.focus();
  }, []);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!user) form({ name: name.trim() });
    void meeting.join(user?.name ?? name.trim());
  };
  return (
    <form class="sheet" onSubmit={submit}>
      {user ? (
        <div class="as">
          <Avatar person={user} />
          <div class="who">
            <span class="quiet">You join as</span>
            <strong>{user.name || user.address}</strong>
          </div>
        </div>
      ) : (
        <>
          <label for="name">Your name</label>
          <input
            id="name"
            ref={field}
            required
            maxLength={64}
            autocomplete="name"
            // A name of nothing but blanks is none.
            pattern=".*\S.*"
            title="A name that the others know you by"
            value={name}
            readOnly={isBusy}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </>
      )}
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy ? "Joining…" : "Join"}
      </button>
      {isBusy ? (
        <button type="button" class="plain" onClick={() => meeting.feed({ type: "leave" })}>
          Cancel
        </button>
      ) : (
        <Otherwise meeting={meeting} isUser={user !== null} signIn={signIn} />
      )}
    </form>
  );
}

function Otherwise(props: { meeting: Meeting; isUser: boolean; signIn: () => void }) {
  return props.isUser ? (
    <button type="button" class="plain" onClick={() => void props.meeting.signOut()}>
      Sign out
    </button>
  ) : (
    <button type="button" class="plain" onClick={props.signIn}>
      Sign in
    </button>
  );
}
