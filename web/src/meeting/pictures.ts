/** Pictures of oneself to the others, and of the others: a connection of their own beside that of the sound. */

import { Connection, type ConnectionListener } from "../common/connection";
import type { PictureKind } from "./protocol";
import { MAX_TILES } from "./stage";

/** Three sizes of the camera at once, of which the server gives each page the one that it can take. Bits in a second. */
const CAMERA: RTCRtpEncodingParameters[] = [
  { rid: "l", scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: "m", scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: "h", scaleResolutionDownBy: 1, maxBitrate: 1_500_000 },
];

/** A screen is to be read: rarely anew, but sharp. */
const SCREEN_RATE = 15;
const SCREEN: RTCRtpEncodingParameters[] = [{ maxBitrate: 2_500_000, maxFramerate: SCREEN_RATE }];

export class Pictures {
  /** Whether the server has taken an offer. */
  isAnswered = false;
  private readonly connection: Connection;
  private readonly senders: { readonly [kind in PictureKind]: RTCRtpSender };
  private readonly lines: readonly RTCRtpTransceiver[];

  constructor(listener: ConnectionListener) {
    this.connection = new Connection(listener);
    const { peer } = this.connection;
    const send = (sendEncodings: RTCRtpEncodingParameters[]) =>
      preferVp8(peer.addTransceiver("video", { direction: "sendonly", sendEncodings })).sender;
    this.senders = { camera: send(CAMERA), screen: send(SCREEN) };
    this.lines = Array.from({ length: MAX_TILES }, () =>
      preferVp8(peer.addTransceiver("video", { direction: "recvonly" })),
    );
  }

  /** A complete offer; `null` where a later one has overtaken it. */
  offer(restart: boolean): Promise<string | null> {
    return this.connection.offer(restart);
  }

  async answer(sdp: string): Promise<void> {
    await this.connection.answer(sdp);
    this.isAnswered = true;
  }

  /** Shows what a camera or a screen sees to the others; `null` is nothing. */
  async show(kind: PictureKind, track: MediaStreamTrack | null): Promise<void> {
    await this.senders[kind].replaceTrack(track);
  }

  /** The lines that receive, by their mids; known once there was an offer. */
  get received(): readonly { readonly mid: string; readonly track: MediaStreamTrack }[] {
    return this.lines.flatMap(({ mid, receiver }) =>
      mid === null ? [] : [{ mid, track: receiver.track }],
    );
  }

  close(): void {
    this.connection.close();
  }
}

function preferVp8(line: RTCRtpTransceiver): RTCRtpTransceiver {
  const known = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
  const wanted = known.filter(({ mimeType }) => /^video\/(vp8|rtx)$/i.test(mimeType));
  const hasVp8 = wanted.some(({ mimeType }) => /vp8/i.test(mimeType));
  if (hasVp8) line.setCodecPreferences(wanted);
  return line;
}

/** Whether this browser lets its screen be seen; those of telephones do not. */
export function canShareScreen(): boolean {
  return navigator.mediaDevices !== undefined && "getDisplayMedia" in navigator.mediaDevices;
}

/** Asks which window or screen is to be seen; `null` where it is to be none. */
export async function captureScreen(): Promise<MediaStreamTrack | null> {
  try {
    const video = { frameRate: { max: SCREEN_RATE } };
    const stream = await navigator.mediaDevices.getDisplayMedia({ video, audio: false });
    const [track] = stream.getVideoTracks();
    if (!track) return null;
    track.contentHint = "detail";
    return track;
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotAllowedError") return null;
    throw error;
  }
}
