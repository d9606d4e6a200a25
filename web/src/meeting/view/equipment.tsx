import { useEffect, useRef, useState } from "preact/hooks";
import { canChooseSpeaker } from "../../common/sound";
import { Choice, useDevices } from "../../common/view/devices";
import { form, habits } from "../habits";
import type { Meeting } from "../meeting";
import { Toggle } from "./toggle";

/** Microphone and camera, on or off. */
export function OwnToggles({ meeting }: { meeting: Meeting }) {
  const { muted, camera } = meeting.equipment;
  const isSeen = camera.value !== null;
  return (
    <>
      <Toggle
        icon={muted.value ? "microphoneOff" : "microphone"}
        label="Mute"
        pressed={muted.value}
        shortcut="m"
        {...(muted.value ? { mood: "off" as const } : {})}
        press={() => void meeting.mute(!muted.value)}
      />
      <Toggle
        icon={isSeen ? "camera" : "cameraOff"}
        label="Camera"
        pressed={isSeen}
        shortcut="c"
        press={() => void meeting.turnCamera(!isSeen)}
      />
    </>
  );
}

/** Which devices are used. */
export function DeviceChoices({ meeting }: { meeting: Meeting }) {
  const { equipment } = meeting;
  const [found, look] = useDevices();
  // Browsers name devices once one was opened.
  useEffect(look, [equipment.microphone.value, equipment.camera.value]);
  const preferred = equipment.preferred.value;
  return (
    <>
      <Choice
        label="Microphone"
        found={found.microphones}
        chosen={preferred.microphone}
        choose={(microphone) => void equipment.prefer({ ...preferred, microphone })}
      />
      {canChooseSpeaker() ? (
        <Choice
          label="Loudspeaker"
          found={found.speakers}
          chosen={preferred.speaker}
          choose={(speaker) => void equipment.prefer({ ...preferred, speaker })}
        />
      ) : (
        <p class="quiet">The loudspeaker is chosen in the settings of this computer.</p>
      )}
      <Choice
        label="Camera"
        found={found.cameras}
        chosen={preferred.camera}
        choose={(camera) => void equipment.prefer({ ...preferred, camera })}
      />
    </>
  );
}

export function DevicesDialog({ meeting, close }: { meeting: Meeting; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [keys, setKeys] = useState(habits().keys);
  useEffect(() => dialog.current?.showModal(), []);
  const choose = (chosen: boolean) => {
    form({ keys: chosen });
    setKeys(chosen);
  };
  return (
    <dialog ref={dialog} class="card" aria-labelledby="devices" onClose={close}>
      <h2 id="devices">Devices</h2>
      <DeviceChoices meeting={meeting} />
      <Level track={meeting.equipment.microphone.value} />
      <label class="check">
        <input
          type="checkbox"
          checked={keys}
          onChange={(event) => choose(event.currentTarget.checked)}
        />
        <span>
          Single keys: <kbd>M</kbd> mute, <kbd>C</kbd> camera, <kbd>S</kbd> share, <kbd>H</kbd>{" "}
          hand, <kbd>P</kbd> people
        </span>
      </label>
      <button type="button" class="primary" onClick={() => dialog.current?.close()}>
        Done
      </button>
    </dialog>
  );
}

const LEVEL_MS = 80;

/** How loud it is at the microphone, also while one is muted. */
export function Level({ track }: { track: MediaStreamTrack | null }) {
  const [level, setLevel] = useState(0);
  useEffect(() => {
    if (!track) return setLevel(0);
    // A muted track is silent; its copy is not.
    const copy = track.clone();
    copy.enabled = true;
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(new MediaStream([copy])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const wake = () => void context.resume().catch(() => {});
    addEventListener("pointerdown", wake);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      setLevel(loudness(samples));
    }, LEVEL_MS);
    return () => {
      clearInterval(timer);
      removeEventListener("pointerdown", wake);
      copy.stop();
      void context.close();
    };
  }, [track]);
  return (
    <div class="level">
      <label for="level">Level of the microphone</label>
      <meter id="level" min={0} max={1} value={level} />
    </div>
  );
}

/** From 0 for silence, at -60 dB, to 1. */
function loudness(samples: Float32Array): number {
  const sum = samples.reduce((sum, sample) => sum + sample * sample, 0);
  const decibels = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, 1 + decibels / 60));
}
