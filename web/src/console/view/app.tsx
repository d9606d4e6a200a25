import { named } from "../../common/people";
import { Mark } from "../../common/view/mark";
import { SignInForm } from "../../common/view/sign_in";
import type { Console } from "../console";
import { Desk } from "./desk";

export function App({ desk }: { desk: Console }) {
  const presence = desk.presence.value;
  return (
    <>
      {presence.type === "signedIn" && <Desk desk={desk} user={presence.user} />}
      {presence.type === "notAdministrator" && (
        <main class="alone">
          <section class="sheet">
            <Mark />
            <h1>Console</h1>
            <p class="quiet">
              {named(presence.user)} is signed in, but the console is for administrators only.
              Whoever runs this server can make somebody one in its directory.
            </p>
            <button type="button" class="primary" onClick={() => void desk.signOut()}>
              Sign in as somebody else
            </button>
          </section>
        </main>
      )}
      {presence.type === "signedOut" && (
        <main class="alone">
          <SignInForm
            title="Console"
            hint="For administrators: sign in with the name and password of your phone."
            problem={presence.problem}
            signIn={(name, password) => desk.signIn(name, password)}
          />
        </main>
      )}
      {presence.type === "starting" && <p class="starting">One moment…</p>}
      <p class="unseen" role="status">
        {desk.announcer.text.value}
      </p>
    </>
  );
}
