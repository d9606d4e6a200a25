import { useEffect, useState } from "preact/hooks";
import { type Device, type Devices, devices, NO_DEVICES } from "../devices";

/** The devices there are, as they come and go; and what looks again, such as once a microphone was allowed. */
export function useDevices(): readonly [Devices, () => void] {
  const [found, setFound] = useState<Devices>(NO_DEVICES);
  const look = () => void devices().then(setFound, () => {});
  useEffect(() => {
    look();
    navigator.mediaDevices?.addEventListener("devicechange", look);
    return () => navigator.mediaDevices?.removeEventListener("devicechange", look);
  }, []);
  return [found, look];
}

interface ChoiceProps {
  readonly label: string;
  readonly found: readonly Device[];
  readonly chosen: string;
  readonly choose: (id: string) => void;
}

export function Choice({ label, found, chosen, choose }: ChoiceProps) {
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
