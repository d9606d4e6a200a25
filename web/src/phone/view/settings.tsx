import { useEffect, useRef, useState } from "preact/hooks";
import { canChooseSpeaker } from "../../common/sound";
import { Choice, useDevices } from "../../common/view/devices";
import type { Phone } from "../phone";

export function Settings({ phone, close }: { phone: Phone; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [found, look] = useDevices();
  useEffect(() => dialog.current?.showModal(), []);
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
