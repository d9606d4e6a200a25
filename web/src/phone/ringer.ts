/** The sounds of the phone itself, made here: a bell, and what a caller hears while the other side rings. */

type Pattern = "bell" | "ringback";

interface Burst {
  /** In hertz, sounding together. */
  readonly tones: readonly number[];
  /** In seconds from the start of the pattern. */
  readonly from: number;
  readonly length: number;
}

/** Two soft strokes every three seconds, and Europe's ringing tone of 425 Hz. */
const PATTERNS: { readonly [pattern in Pattern]: { bursts: readonly Burst[]; seconds: number } } = {
  bell: {
    bursts: [
      { tones: [659.3, 1318.5], from: 0, length: 0.5 },
      { tones: [784, 1568], from: 0.22, length: 0.5 },
      { tones: [659.3, 1318.5], from: 0.8, length: 0.5 },
      { tones: [784, 1568], from: 1.02, length: 0.8 },
    ],
    seconds: 3,
  },
  ringback: { bursts: [{ tones: [425], from: 0, length: 1 }], seconds: 5 },
};

const LOUDNESS: { readonly [pattern in Pattern]: number } = { bell: 0.25, ringback: 0.06 };

type Sinkable = AudioContext & { setSinkId?: (device: string) => Promise<void> };

export class Ringer {
  private context: Sinkable | undefined;
  private playing: Pattern | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private output: GainNode | undefined;
  private device = "";

  /** Whether sound comes out: browsers keep a page silent until somebody has touched it. */
  get isAllowed(): boolean {
    return this.context?.state === "running";
  }

  /** Wakes the sound up; works within a click or a key only. */
  async allow(): Promise<boolean> {
    this.context ??= new AudioContext();
    // Without leave, browsers let this wait until there is a click.
    const soon = new Promise<void>((resolve) => setTimeout(resolve, 300));
    await Promise.race([this.context.resume(), soon]);
    await this.listenAt(this.device);
    return this.isAllowed;
  }

  async listenAt(device: string): Promise<void> {
    this.device = device;
    await this.context?.setSinkId?.(device).catch(() => {});
  }

  /** Plays a pattern over and over; `null` is silence. */
  play(pattern: Pattern | null): void {
    if (pattern === this.playing) return;
    this.playing = pattern;
    clearInterval(this.timer);
    this.output?.disconnect();
    this.output = undefined;
    if (!pattern) return;
    this.round(pattern);
    this.timer = setInterval(() => this.round(pattern), PATTERNS[pattern].seconds * 1000);
  }

  private round(pattern: Pattern): void {
    const context = this.context;
    if (context?.state !== "running") return;
    const output = this.output ?? context.createGain();
    this.output = output;
    output.gain.value = LOUDNESS[pattern];
    output.connect(context.destination);
    for (const burst of PATTERNS[pattern].bursts)
      strike(context, output, burst, pattern === "bell");
  }
}

function strike(context: AudioContext, output: AudioNode, burst: Burst, fades: boolean): void {
  const [from, until] = [
    context.currentTime + burst.from,
    context.currentTime + burst.from + burst.length,
  ];
  const gain = context.createGain();
  gain.gain.setValueAtTime(0, from);
  gain.gain.linearRampToValueAtTime(1 / burst.tones.length, from + 0.01);
  if (fades) gain.gain.exponentialRampToValueAtTime(0.001, until);
  else gain.gain.setValueAtTime(1 / burst.tones.length, until - 0.02);
  gain.gain.linearRampToValueAtTime(0, until);
  gain.connect(output);
  for (const frequency of burst.tones) {
    const tone = context.createOscillator();
    tone.frequency.value = frequency;
    tone.connect(gain);
    tone.start(from);
    tone.stop(until);
  }
}
