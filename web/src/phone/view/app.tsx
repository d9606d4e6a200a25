import { useEffect } from "preact/hooks";
import { SignInForm } from "../../common/view/sign_in";
import type { Phone } from "../phone";
import { Desk } from "./desk";

export function App({ phone }: { phone: Phone }) {
  const presence = phone.presence.value;
  return (
    <>
      {presence.type === "signedIn" && <Desk phone={phone} user={presence.user} />}
      {presence.type === "signedOut" && (
        <main class="alone">
          <SignInForm
            title="Phone"
            hint="Sign in with the name and password of your phone."
            problem={presence.problem}
            signIn={(name, password) => phone.signIn(name, password)}
          />
        </main>
      )}
      {presence.type === "starting" && <p class="starting">One moment…</p>}
      <p class="unseen" role="status">
        {phone.announcer.text.value}
      </p>
      <Caller phone={phone} />
    </>
  );
}

const TITLE = "Phone";

/** Tells of a call in the title of the page, and to a screen reader. */
function Caller({ phone }: { phone: Phone }) {
  const [call] = phone.ringing.value;
  const name = call ? call.peer.name || call.peer.address || "Somebody" : "";
  const text = call ? `${name} is calling` : "";
  useEffect(() => {
    document.title = text || TITLE;
    if (!text) return;
    const timer = setInterval(() => {
      document.title = document.title === TITLE ? text : TITLE;
    }, 1000);
    return () => {
      clearInterval(timer);
      document.title = TITLE;
    };
  }, [text]);
  return (
    <p class="unseen" role="alert">
      {text}
    </p>
  );
}
