/** A browser whose microphone hears a tone, and what tests ask of its pages. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Browser,
  type BrowserContextOptions,
  chromium,
  type LaunchOptions,
  type Page,
} from "playwright-core";
import { inject, vi } from "vitest";

/** What the microphone of the page hears, and what the far side says, in hertz. */
export const MICROPHONE_HZ = 440;
export const FAR_HZ = 1000;

const RATE = 48_000;

/** How the browser is started; `folder` gets what its microphone hears. */
export function options(folder: string): LaunchOptions {
  const tone = join(folder, "tone.wav");
  writeFileSync(tone, wav(MICROPHONE_HZ, 10));
  return {
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
      // A machine with nothing but loopback has no other address to offer.
      "--allow-loopback-in-peer-connection",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-audio-capture=${tone}`,
      "--autoplay-policy=no-user-gesture-required",
    ],
  };
}

/** The browser that is there for all files. Closing it closes the contexts of whoever connected. */
export function connect(): Promise<Browser> {
  return chromium.connect(inject("browser"));
}

/** A page that notes its connections, and whatever it complains of. */
export async function open(
  browser: Browser,
  address: string,
  options: BrowserContextOptions & { microphone?: "refused" } = {},
): Promise<{ page: Page; complaints: string[] }> {
  const { microphone, ...rest } = options;
  const context = await browser.newContext({ viewport: { width: 1100, height: 760 }, ...rest });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A socket or a request that a test lets fail is in the console, too.
    const isNetwork = /WebSocket connection|Failed to load resource/.test(message.text());
    if (message.type() === "error" && !isNetwork) complaints.push(message.text());
  });
  await page.addInitScript(prepare, microphone === "refused");
  await page.goto(address);
  return { page, complaints };
}

/** Runs in the page before its own scripts. A steady tone is what suppressors of noise take away, so they are off. */
function prepare(isRefused: boolean): void {
  const notes = { connections: [] as RTCPeerConnection[], strokes: 0 };
  Object.assign(window, { notes });
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      notes.connections.push(this);
    }
  };
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (when) {
    notes.strokes += 1;
    start.call(this, when);
  };
  const media = navigator.mediaDevices;
  if (!media) return;
  const open = media.getUserMedia.bind(media);
  media.getUserMedia = (wanted) => {
    if (isRefused) return Promise.reject(new DOMException("no", "NotAllowedError"));
    if (!wanted?.audio) return open(wanted);
    const audio = typeof wanted?.audio === "object" ? wanted.audio : {};
    const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    return open({ ...wanted, audio: { ...audio, ...raw } });
  };
}

export interface Notes {
  readonly connections: RTCPeerConnection[];
  readonly strokes: number;
}

/** The loudest frequency that the page receives, in hertz, in its latest call; 0 for silence. */
export function heardBy(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const { connections } = (window as unknown as { notes: Notes }).notes;
    const live = connections.filter((connection) => connection.connectionState === "connected");
    const tracks = live.flatMap((connection) =>
      connection.getReceivers().map((receiver) => receiver.track),
    );
    const track = tracks.filter(({ kind }) => kind === "audio").at(-1);
    if (!track) return 0;
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    const loudest = levels.reduce(
      (best, level, bin) => (level > (levels[best] ?? 0) ? bin : best),
      0,
    );
    const isSilent = (levels[loudest] ?? -200) < -60;
    const hertz = (loudest * context.sampleRate) / analyser.fftSize;
    await context.close();
    return isSilent ? 0 : hertz;
  });
}

/** The colour in the middle of a picture, as red, green and blue; `null` while there is none. */
export function colourOf(page: Page, label: string): Promise<readonly number[] | null> {
  return page.evaluate((label) => {
    const video = document.querySelector<HTMLVideoElement>(`video[aria-label="${label}"]`);
    if (!video?.videoWidth) return null;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    const context = canvas.getContext("2d");
    context?.drawImage(video, 0, 0);
    // Somewhat aside from the middle, where the fake camera of Chromium draws its clock.
    const [x, y] = [Math.round(canvas.width * 0.2), Math.round(canvas.height * 0.5)];
    return context ? [...context.getImageData(x, y, 1, 1).data].slice(0, 3) : null;
  }, label);
}

/** The other end of all calls: a second page, which says one tone and measures what it hears. */
export class FarSide {
  private constructor(readonly page: Page) {}

  static async open(browser: Browser, address: string): Promise<FarSide> {
    const { page } = await open(browser, address);
    await page.evaluate((hertz) => {
      const context = new AudioContext();
      const speech = context.createMediaStreamDestination();
      const tone = new OscillatorNode(context, { frequency: hertz });
      tone.connect(new GainNode(context, { gain: 0.3 })).connect(speech);
      tone.start();
      const calls = new Map<string, RTCPeerConnection>();
      const begin = (call: string) => {
        calls.get(call)?.close();
        const connection = new RTCPeerConnection();
        connection.ontrack = (event) => {
          // Chromium decodes for WebAudio only what an element plays, too.
          const player = new Audio();
          player.muted = true;
          player.srcObject = new MediaStream([event.track]);
          void player.play();
        };
        for (const track of speech.stream.getTracks()) connection.addTrack(track, speech.stream);
        calls.set(call, connection);
        return connection;
      };
      const answer = async (connection: RTCPeerConnection, sdp: string) => {
        await connection.setRemoteDescription({ type: "offer", sdp });
        await connection.setLocalDescription();
        while (connection.iceGatheringState !== "complete") {
          await new Promise((resolve) => {
            connection.onicegatheringstatechange = resolve;
          });
        }
        return connection.localDescription?.sdp ?? "";
      };
      Object.assign(window, {
        forget: () => {
          for (const call of calls.values()) call.close();
          calls.clear();
        },
        answer: async (call: string, sdp: string) => {
          const key = /a=fingerprint:(.*)/.exec(sdp)?.[1];
          const known = calls.get(call);
          // A page that was loaded anew has another key.
          const isSame = known?.remoteDescription?.sdp.includes(key ?? "") ?? false;
          return answer(known && isSame ? known : begin(call), sdp);
        },
      });
    }, FAR_HZ);
    return new FarSide(page);
  }

  /** Closes the connections of all calls. */
  forget(): Promise<void> {
    return this.page.evaluate(() => (window as unknown as { forget: () => void }).forget());
  }

  answer(call: string, sdp: string): Promise<string> {
    return this.page.evaluate(
      ([call, sdp]) => {
        const far = window as unknown as { answer: (call: string, sdp: string) => Promise<string> };
        return far.answer(call, sdp);
      },
      [call, sdp] as const,
    );
  }
}

/** Waits until a page hears `hertz`; 0 is silence. */
export async function hears(page: Page, hertz: number, timeout = 10_000): Promise<void> {
  const isHeard = async () => {
    const heard = await heardBy(page);
    if (Math.abs(heard - hertz) > 15) throw new Error(`heard ${heard} Hz instead of ${hertz} Hz`);
  };
  await vi.waitFor(isHeard, { timeout, interval: 20 });
}

/** A sine as a WAV file of 16 bits. */
function wav(hertz: number, seconds: number): Buffer {
  const samples = Buffer.alloc(RATE * seconds * 2);
  for (let at = 0; at < RATE * seconds; at += 1) {
    samples.writeInt16LE(Math.round(12_000 * Math.sin((2 * Math.PI * hertz * at) / RATE)), at * 2);
  }
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples.length, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.length, 40);
  return Buffer.concat([header, samples]);
}
