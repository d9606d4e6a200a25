/** The sound of calls: a connection for each, one microphone for all. */

/** ICE finds the addresses of this computer in a moment; one that hangs must not hold up the call. */
const GATHERING_MS = 1500;

/** For this long a connection may be away by itself before a new offer is made. */
const PATIENCE_MS = 1500;

/** How long keys sound, and the pause between them, in milliseconds: what the slowest receivers want to have. */
const KEY_MS = 120;
const KEY_GAP_MS = 70;

export interface SoundListener {
  readonly lost: () => void;
  readonly back: () => void;
}

/** What a call is heard and spoken over. */
export class Sound {
  private readonly connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  private readonly sender: RTCRtpSender;
  private readonly audio = new Audio();
  private paused = false;
  private offers = 0;
  private patience: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private track: MediaStreamTrack,
    private readonly listener: SoundListener,
  ) {
    this.sender = this.connection.addTransceiver(track, { direction: "sendrecv" }).sender;
    this.audio.autoplay = true;
    this.connection.ontrack = (event) => {
      this.audio.srcObject = event.streams[0] ?? new MediaStream([event.track]);
    };
    this.connection.oniceconnectionstatechange = () => this.watch();
  }

  /** A complete offer, with all addresses in it; `null` where a later one has overtaken it. */
  async offer(restart: boolean): Promise<string | null> {
    this.offers += 1;
    const turn = this.offers;
    const offer = await this.connection.createOffer({ iceRestart: restart });
    await this.connection.setLocalDescription(offer);
    await this.gathered();
    return turn === this.offers ? (this.connection.localDescription?.sdp ?? null) : null;
  }

  /** Takes the answer to the latest offer; one to an earlier offer is not asked for any more. */
  async answer(sdp: string): Promise<void> {
    if (this.connection.signalingState !== "have-local-offer") return;
    await this.connection.setRemoteDescription({ type: "answer", sdp });
    // Where the old addresses still work, a restart changes no state that would be told of.
    this.watch();
  }

  /** On hold nothing is sent, and nothing is heard. */
  async pause(paused: boolean): Promise<void> {
    this.paused = paused;
    this.audio.muted = paused;
    await this.sender.replaceTrack(paused ? null : this.track);
  }

  /** Another microphone; the far end notices nothing. */
  async speakInto(track: MediaStreamTrack): Promise<void> {
    this.track = track;
    if (!this.paused) await this.sender.replaceTrack(track);
  }

  /** Another loudspeaker; the empty name is the usual one. */
  async listenAt(device: string): Promise<void> {
    if (canChooseSpeaker()) await this.audio.setSinkId(device);
  }

  /** Sends keys as telephone events (RFC 4733); false where the far end takes none. */
  press(keys: string): boolean {
    const dtmf = this.sender.dtmf;
    if (!dtmf?.canInsertDTMF) return false;
    dtmf.insertDTMF(dtmf.toneBuffer + keys, KEY_MS, KEY_GAP_MS);
    return true;
  }

  close(): void {
    clearTimeout(this.patience);
    this.connection.oniceconnectionstatechange = null;
    this.connection.close();
    this.audio.srcObject = null;
  }

  private watch(): void {
    clearTimeout(this.patience);
    const state = this.connection.iceConnectionState;
    if (state === "connected" || state === "completed") this.listener.back();
    else if (state === "failed") this.listener.lost();
    else if (state === "disconnected") {
      this.patience = setTimeout(() => this.listener.lost(), PATIENCE_MS);
    }
  }

  private gathered(): Promise<void> {
    const connection = this.connection;
    if (connection.iceGatheringState === "complete") return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(limit);
        connection.onicegatheringstatechange = null;
        resolve();
      };
      const limit = setTimeout(done, GATHERING_MS);
      connection.onicegatheringstatechange = () => {
        if (connection.iceGatheringState === "complete") done();
      };
    });
  }
}

/** Opens a microphone; the empty name is the usual one. */
export async function openMicrophone(device: string): Promise<MediaStreamTrack> {
  const { mediaDevices } = navigator;
  if (!mediaDevices) throw new DOMException("no media devices", "SecurityError");
  const wanted = device ? { deviceId: { exact: device } } : {};
  const audio = {
    ...wanted,
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
  };
  const stream = await mediaDevices.getUserMedia({ audio });
  const [track] = stream.getAudioTracks();
  if (!track) throw new DOMException("no audio track", "NotFoundError");
  return track;
}

/** What keeps the microphone shut, with the remedy. */
export function microphoneProblem(error: unknown): string {
  const name = error instanceof DOMException || error instanceof Error ? error.name : "";
  switch (name) {
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

export function canChooseSpeaker(): boolean {
  return "setSinkId" in HTMLMediaElement.prototype;
}

export interface Device {
  readonly id: string;
  readonly name: string;
}

/** The microphones and loudspeakers there are. Browsers name them once a microphone was allowed. */
export async function devices(): Promise<{ microphones: Device[]; speakers: Device[] }> {
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
  };
}
