/** What is heard and spoken: one connection for each call, one microphone for all. */

import { Connection, type ConnectionListener } from "./connection";

/** How long keys sound, and the pause between them, in milliseconds: what the slowest receivers want to have. */
const KEY_MS = 120;
const KEY_GAP_MS = 70;

export interface SoundListener extends ConnectionListener {
  /** Whether the browser keeps it silent. */
  readonly silenced?: (isSilent: boolean) => void;
}

export class Sound {
  private readonly connection: Connection;
  private readonly sender: RTCRtpSender;
  private readonly audio = new Audio();
  private paused = false;

  /** Without a track, it only listens. */
  constructor(
    private track: MediaStreamTrack | null,
    private readonly listener: SoundListener,
  ) {
    this.connection = new Connection(listener);
    const { peer } = this.connection;
    this.sender = peer.addTransceiver(track ?? "audio", { direction: "sendrecv" }).sender;
    this.audio.autoplay = true;
    peer.ontrack = (event) => {
      this.audio.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      void this.play();
    };
  }

  /** A complete offer, with all addresses in it; `null` where a later one has overtaken it. */
  offer(restart: boolean): Promise<string | null> {
    return this.connection.offer(restart);
  }

  /** Takes the answer to the latest offer; one to an earlier offer is not asked for any more. */
  answer(sdp: string): Promise<void> {
    return this.connection.answer(sdp);
  }

  /** Lets it be heard; browsers keep pages silent that nobody has touched. */
  async play(): Promise<void> {
    try {
      await this.audio.play();
      this.listener.silenced?.(false);
    } catch (error) {
      const isForbidden = error instanceof DOMException && error.name === "NotAllowedError";
      if (isForbidden) this.listener.silenced?.(true);
    }
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
    this.connection.close();
    this.audio.srcObject = null;
  }
}

export function canChooseSpeaker(): boolean {
  return "setSinkId" in HTMLMediaElement.prototype;
}
