/** Microphones, loudspeakers and cameras of this computer. */

/** Opens a microphone; the empty name is the usual one. */
export async function openMicrophone(device: string): Promise<MediaStreamTrack> {
  const audio = {
    ...exactly(device),
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
  };
  const stream = await userMedia({ audio });
  return first(stream.getAudioTracks());
}

/** Opens a camera; the empty name is the usual one. */
export async function openCamera(device: string): Promise<MediaStreamTrack> {
  const size = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  const stream = await userMedia({ video: { ...exactly(device), ...size } });
  return first(stream.getVideoTracks());
}

function exactly(device: string): MediaTrackConstraints {
  return device ? { deviceId: { exact: device } } : {};
}

async function userMedia(wanted: MediaStreamConstraints): Promise<MediaStream> {
  const { mediaDevices } = navigator;
  if (!mediaDevices) throw new DOMException("no media devices", "SecurityError");
  return mediaDevices.getUserMedia(wanted);
}

function first(tracks: readonly MediaStreamTrack[]): MediaStreamTrack {
  const [track] = tracks;
  if (!track) throw new DOMException("no track", "NotFoundError");
  return track;
}

/** What keeps the microphone shut, with the remedy. */
export function microphoneProblem(error: unknown): string {
  switch (nameOf(error)) {
    case "NotAllowedError":
      return "The browser does not let this page hear you. Allow the microphone at the sign beside the address, then try again.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No microphone was found. Plug one in, or choose another in the settings, then try again.";
    case "NotReadableError":
    case "AbortError":
      return "The microphone is used by another program. Close that, or choose another in the settings.";
    case "SecurityError":
      return "Browsers give microphones only to pages over https, or on this computer. Open this page with https://.";
    default:
      return "The microphone cannot be used. Choose another in the settings, or load the page again.";
  }
}

/** What keeps the camera shut, with the remedy. */
export function cameraProblem(error: unknown): string {
  switch (nameOf(error)) {
    case "NotAllowedError":
      return "The browser does not let this page see you. Allow the camera at the sign beside the address, then try again.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No camera was found. Plug one in, or choose another, then try again.";
    case "NotReadableError":
    case "AbortError":
      return "The camera is used by another program. Close that, or choose another.";
    case "SecurityError":
      return "Browsers give cameras only to pages over https, or on this computer. Open this page with https://.";
    default:
      return "The camera cannot be used. Choose another, or load the page again.";
  }
}

function nameOf(error: unknown): string {
  return error instanceof DOMException || error instanceof Error ? error.name : "";
}

export interface Device {
  readonly id: string;
  readonly name: string;
}

export interface Devices {
  readonly microphones: readonly Device[];
  readonly speakers: readonly Device[];
  readonly cameras: readonly Device[];
}

export const NO_DEVICES: Devices = { microphones: [], speakers: [], cameras: [] };

/** The devices there are. Browsers name them once one of their kind was allowed. */
export async function devices(): Promise<Devices> {
  const found = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind: MediaDeviceKind, what: string) =>
    found
      .filter(
        (device) => device.kind === kind && device.deviceId !== "" && device.deviceId !== "default",
      )
      .map(({ deviceId, label }, index) => ({
        id: deviceId,
        name: label || `${what} ${index + 1}`,
      }));
  return {
    microphones: of("audioinput", "Microphone"),
    speakers: of("audiooutput", "Loudspeaker"),
    cameras: of("videoinput", "Camera"),
  };
}
