import { useEffect, useRef, useState } from "preact/hooks";
import { canChooseSpeaker, type Device, devices } from "../media";
import type { Phone } from "../phone";

interface Found {
  readonly microphones: readonly Device[];
  readonly speakers: readonly Device[];
}

export function Settings({ phone, close }: { phone: Phone; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [found, setFound] = useState<Found>({ microphones: [], speakers: [] });
  const look = () => void devices().then(setFound, () => {});
  useEffect(() => {
    dialog.current?.showModal();
    look();
    navigator.mediaDevices?.addEventListener("devicechange", look);
    return () => navigator.mediaDevices?.removeEventListener("devicechange", look);
  }, []);
  const preferred = phone.preferred.value;
  return (
    <dialog ref={dialog} class="card settings" aria-labelledby="settings" onClose={close}>
      <h2 id="settings">Settings</h2>
      <Choice
        label="Microphone"
        found={found.microphones}
        chosen={preferred.microphone}
        choose={(microphone) => void phone.prefer({ ...preferred, microphone })}
      />
      {canChooseSpeaker() ? (
        <Choice
          label="Loudspeaker"
          found={found.speakers}
          chosen={preferred.speaker}
          choose={(speaker) => void phone.prefer({ ...preferred, speaker })}
        />
      ) : (
        <p class="quiet">The loudspeaker is chosen in the settings of this computer.</p>
      )}
      {found.microphones.length === 0 && (
        <button
          type="button"
          class="plain"
          onClick={() => void phone.askForMicrophone().then(look)}
        >
          Show the devices of this computer
        </button>
      )}
      <Notifications />
      <button type="button" class="primary" onClick={() => dialog.current?.close()}>
        Done
      </button>
    </dialog>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly found: readonly Device[];
  readonly chosen: string;
  readonly choose: (id: string) => void;
}

function Choice({ label, found, chosen, choose }: ChoiceProps) {
  const id = `choose-${label.toLowerCase()}`;
  const isGone = chosen !== "" && !found.some((device) => device.id === chosen);
  return (
    <div>
      <label for={id}>{label}</label>
      <select id={id} value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">System default</option>
        {found.map((device) => (
          <option key={device.id} value={device.id}>
            {device.name}
          </option>
        ))}
        {isGone && <option value={chosen}>One that is not plugged in</option>}
      </select>
    </div>
  );
}

function Notifications() {
  const [permission, setPermission] = useState(
    "Notification" in window ? Notification.permission : "denied",
  );
  const ask = () => void Notification.requestPermission().then(setPermission);
  if (permission === "granted") return <p class="quiet">The browser tells you of calls.</p>;
  if (permission === "denied") {
    return (
      <p class="quiet">
        The browser does not let this page tell you of calls. Allow notifications at the sign beside
        the address.
      </p>
    );
  }
  return (
    <button type="button" class="plain" onClick={ask}>
      Tell me of calls while I look at something else
    </button>
  );
}
