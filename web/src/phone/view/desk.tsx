import { useEffect, useState } from "preact/hooks";
import { named, type User } from "../../common/people";
import { Icon } from "../../common/view/icons";
import { NoticeLine, Notices } from "../../common/view/notice";
import { Avatar } from "../../common/view/person";
import type { Phone } from "../phone";
import { CallCard } from "./call_card";
import { Incoming, OtherCalls, RecentCalls } from "./calls";
import { Dialer } from "./dialer";
import { sendKeys } from "./keys";
import { Settings } from "./settings";

/** The phone of whoever is signed in. */
export function Desk({ phone, user }: { phone: Phone; user: User }) {
  const { calls } = phone.line.value;
  const [shown, ringing] = [phone.shown.value, phone.ringing.value];
  const others = calls.filter((call) => call.state !== "incoming" && call !== shown);

  useEffect(() => {
    const listener = (event: KeyboardEvent) => sendKeys(phone, event);
    addEventListener("keydown", listener);
    return () => removeEventListener("keydown", listener);
  }, [phone]);

  // A button that is pressed may go away with its call; the focus then goes where the work goes on.
  useEffect(() => {
    if (document.activeElement !== document.body) return;
    const isFine = matchMedia("(pointer: fine)").matches;
    const next = shown ? "call" : isFine ? "dial" : "desk";
    document.getElementById(next)?.focus({ preventScroll: next !== "call" });
  }, [shown?.id, ringing.length]);

  return (
    <div class="desk">
      <Header phone={phone} user={user} />
      <Notices
        notice={phone.notice}
        isConnected={phone.connected.value}
        lost="The server cannot be reached. The phone tries again by itself."
        retry={() => phone.retry()}
      >
        {!phone.bellAllowed.value && (
          <NoticeLine tone="remark" text="The browser keeps the bell silent until you press this.">
            <button type="button" class="plain" onClick={() => void phone.allowBell()}>
              Let it ring
            </button>
          </NoticeLine>
        )}
      </Notices>
      <main id="desk" tabIndex={-1} class={calls.length === 0 ? "idle" : "busy"}>
        <h1 class="unseen">Phone</h1>
        <div class="stage">
          {ringing.map((call) => (
            <Incoming key={call.id} phone={phone} call={call} />
          ))}
          {shown && <CallCard key={shown.id} phone={phone} call={shown} />}
          <OtherCalls phone={phone} calls={others} />
        </div>
        <div class="side">
          <Dialer phone={phone} isIdle={calls.length === 0} />
        </div>
        <RecentCalls phone={phone} />
      </main>
    </div>
  );
}

function Header({ phone, user }: { phone: Phone; user: User }) {
  const [isOpen, setOpen] = useState(false);
  const isConnected = phone.connected.value;
  return (
    <header>
      <Avatar person={user} />
      <div class="who">
        <strong>{named(user)}</strong>
        <span class={isConnected ? "presence presence-on" : "presence presence-off"}>
          {isConnected ? `Ready · ${user.address}` : "Looking for the server…"}
        </span>
      </div>
      <button type="button" class="square" aria-label="Settings" onClick={() => setOpen(true)}>
        <Icon name="settings" />
      </button>
      <button
        type="button"
        class="square"
        aria-label="Sign out"
        onClick={() => void phone.signOut()}
      >
        <Icon name="signOut" />
      </button>
      {isOpen && <Settings phone={phone} close={() => setOpen(false)} />}
    </header>
  );
}
