import { useEffect, useRef, useState } from "preact/hooks";
import { named } from "../../common/people";
import { Icon, type IconName } from "../../common/view/icons";
import { Avatar } from "../../common/view/person";
import type { Call } from "../line";
import type { Phone } from "../phone";
import { isUnderWay } from "../protocol";
import { duration, stateText } from "../wording";
import { Keypad } from "./keypad";

type Panel = "keypad" | "transfer" | null;

/** The call that is spoken in. */
export function CallCard({ phone, call }: { phone: Phone; call: Call }) {
  const [panel, setPanel] = useState<Panel>(null);
  const isConnected = call.state === "connected";
  const toggle = (wanted: Panel) => setPanel(panel === wanted ? null : wanted);
  const muted = phone.muted.value;
  const open = isConnected ? panel : null;
  return (
    <section class="card call" aria-labelledby="call-name" tabIndex={-1} id="call">
      <Avatar person={call.peer} large />
      <div class="who">
        <h2 id="call-name">{named(call.peer)}</h2>
        {call.peer.address !== named(call.peer) && <p class="quiet address">{call.peer.address}</p>}
        {call.subject && <p class="quiet">{call.subject}</p>}
      </div>
      <p class={`state state-${mood(call)}`}>
        <span>{stateText(call)}</span> <Timer phone={phone} call={call} />
      </p>
      <fieldset class="controls" aria-label="Call" disabled={!isConnected}>
        <Toggle
          icon={muted ? "microphoneOff" : "microphone"}
          label="Mute"
          pressed={muted}
          press={() => phone.mute(!muted)}
        />
        <Toggle
          icon={call.held ? "resume" : "hold"}
          label="Hold"
          pressed={call.held}
          press={() => phone.feed({ type: "hold", call: call.id, held: !call.held })}
        />
        <Toggle
          icon="keypad"
          label="Keypad"
          expanded={open === "keypad"}
          press={() => toggle("keypad")}
        />
        <Toggle
          icon="transfer"
          label="Transfer"
          expanded={open === "transfer"}
          press={() => toggle("transfer")}
        />
      </fieldset>
      {open === "keypad" && <Keys phone={phone} held={call.held} />}
      {open === "transfer" && <Transfer phone={phone} call={call} done={() => setPanel(null)} />}
      <button
        type="button"
        class="danger wide"
        onClick={() => phone.feed({ type: "hangUp", call: call.id })}
      >
        <Icon name="hangUp" />
        Hang up
      </button>
    </section>
  );
}

/** How long the call has lasted. */
export function Timer({ phone, call }: { phone: Phone; call: Call }) {
  if (call.since === null) return null;
  return (
    <span class="timer" role="timer" aria-label="Length of the call">
      {duration(phone.now.value - call.since)}
    </span>
  );
}

interface ToggleProps {
  readonly icon: IconName;
  readonly label: string;
  readonly pressed?: boolean;
  readonly expanded?: boolean;
  readonly press: () => void;
}

function Toggle({ icon, label, pressed, expanded, press }: ToggleProps) {
  return (
    <button
      type="button"
      class="round"
      aria-pressed={pressed}
      aria-expanded={expanded}
      onClick={press}
    >
      <span class="round-face">
        <Icon name={icon} />
      </span>
      {label}
    </button>
  );
}

function Keys({ phone, held }: { phone: Phone; held: boolean }) {
  if (held) return <p class="quiet">Resume the call to send keys.</p>;
  return (
    <div class="keys">
      <p class="pressed" aria-hidden="true">
        {phone.pressed.value || "The keys of your keyboard work, too"}
      </p>
      <Keypad label="Keys of the call" press={(key) => phone.press(key)} />
    </div>
  );
}

function Transfer({ phone, call, done }: { phone: Phone; call: Call; done: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (phone.transfer(call.id, field.current?.value ?? "")) done();
  };
  return (
    <form class="panel" onSubmit={submit}>
      <label for="transfer-to">Transfer {named(call.peer)} to</label>
      <div class="field">
        <input
          id="transfer-to"
          ref={field}
          required
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="Name or number"
        />
        <button type="submit" class="primary" disabled={isUnderWay(call.transfer)}>
          Transfer
        </button>
      </div>
    </form>
  );
}

function mood(call: Call): string {
  if (call.mending) return "trouble";
  if (call.held || call.heldByPeer) return "held";
  return call.state === "connected" ? "live" : "waiting";
}
