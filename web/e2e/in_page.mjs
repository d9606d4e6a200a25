// @ts-check
/** What tests have in a page before its own scripts: a microphone that says a tone, ears that know tones, and eyes. */

/**
 * @typedef {object} Prepared
 * @property {number | null} tone What the microphone hears, in hertz; `null` for the browser's fake device.
 */

/**
 * @typedef {object} Heard
 * @property {number} loudest The loudest frequency in hertz; 0 in silence.
 * @property {number[]} levels Amplitudes at the frequencies that were asked for, of 1.
 */

/**
 * @typedef {object} Picture
 * @property {string} name Of the element, as screen readers tell it.
 * @property {number} height Of what comes, in pixels.
 * @property {number[]} colour Red, green and blue in its middle, up to 255.
 */

/**
 * @typedef {object} Ears
 * @property {(hertz: number[]) => Heard} hear What is heard at the moment.
 * @property {(hertz: number) => void} watch Counts from here on for how long a tone is not heard.
 * @property {() => { longest: number, now: number }} silences The longest such time that is over, and that which lasts, in milliseconds.
 * @property {() => Picture[]} pictures The pictures that move on the page.
 */

/**
 * Runs in the page, so it can use nothing from outside of itself. Heard is what elements play that are neither paused nor
 * muted, as a person would hear it.
 *
 * @param {Prepared} prepared
 */
export function prepare({ tone }) {
  const TICK_MS = 20;
  /** Of a full amplitude; a tone of a fifth of what phones say is heard. */
  const HEARD = 0.037;

  /** @type {Set<HTMLMediaElement>} */
  const players = new Set();
  const plays = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    ...plays,
    set(stream) {
      plays?.set?.call(this, stream);
      if (stream) players.add(this);
      else players.delete(this);
    },
  });

  /** @type {AudioContext | undefined} */
  let context;
  /** @type {AnalyserNode | undefined} */
  let analyser;
  /** @type {Map<MediaStreamTrack, GainNode>} */
  const inputs = new Map();

  /** What is there to be played, by whom. */
  function* played() {
    for (const player of players) {
      const stream = player.srcObject;
      if (!(stream instanceof MediaStream)) continue;
      for (const track of stream.getAudioTracks()) yield { player, track };
    }
  }

  /** Listens to what is played now. */
  function attend() {
    if (!context || !analyser) {
      context = new AudioContext();
      analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
    }
    const gone = new Set(inputs.keys());
    for (const { player, track } of played()) {
      const input = inputs.get(track) ?? new GainNode(context);
      if (!inputs.has(track)) {
        context
          .createMediaStreamSource(new MediaStream([track]))
          .connect(input)
          .connect(analyser);
        inputs.set(track, input);
      }
      input.gain.value = player.paused || player.muted ? 0 : 1;
      gone.delete(track);
    }
    for (const track of gone) {
      inputs.get(track)?.disconnect();
      inputs.delete(track);
    }
    return { analyser, rate: context.sampleRate };
  }

  /**
   * The amplitude at a frequency, by a sum under a window (Hann), whose mean is a half.
   *
   * @param {Float32Array} samples
   * @param {number} hertz
   * @param {number} rate
   */
  function amplitude(samples, hertz, rate) {
    let real = 0;
    let imaginary = 0;
    for (const [at, sample] of samples.entries()) {
      const weighed = sample * (1 - Math.cos((2 * Math.PI * at) / samples.length));
      const phase = (2 * Math.PI * hertz * at) / rate;
      real += weighed * Math.cos(phase);
      imaginary += weighed * Math.sin(phase);
    }
    return (2 * Math.hypot(real, imaginary)) / samples.length;
  }

  /** @param {number[]} hertz */
  function hear(hertz) {
    const { analyser, rate } = attend();
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    let best = 0;
    for (const [bin, level] of bins.entries()) if (level > (bins[best] ?? 0)) best = bin;
    const isSilent = (bins[best] ?? -200) < -60;
    return {
      loudest: isSilent ? 0 : (best * rate) / analyser.fftSize,
      levels: hertz.map((one) => amplitude(samples, one, rate)),
    };
  }

  const silence = { longest: 0, since: 0 };
  let isWatching = false;

  /** @param {number} hertz */
  function watch(hertz) {
    silence.since = performance.now();
    silence.longest = 0;
    if (isWatching) return;
    isWatching = true;
    setInterval(() => {
      if ((hear([hertz]).levels[0] ?? 0) < HEARD) return;
      const now = performance.now();
      silence.longest = Math.max(silence.longest, now - silence.since);
      silence.since = now;
    }, TICK_MS);
  }

  const silences = () => ({ longest: silence.longest, now: performance.now() - silence.since });

  const canvas = new OffscreenCanvas(9, 9);
  const brush = canvas.getContext("2d", { willReadFrequently: true });

  function pictures() {
    const videos = [...document.querySelectorAll("video")];
    return videos
      .filter(
        (video) =>
          video.checkVisibility({ opacityProperty: true }) &&
          video.videoHeight > 0 &&
          !video.paused,
      )
      .map((video) => {
        brush?.drawImage(video, 0, 0, canvas.width, canvas.height);
        const colour = brush?.getImageData(4, 4, 1, 1).data.slice(0, 3) ?? [];
        const name = video.getAttribute("aria-label") ?? "";
        return { name, height: video.videoHeight, colour: [...colour] };
      });
  }

  /** @type {Ears} */
  const ears = { hear, watch, silences, pictures };
  Object.assign(window, { ears });

  const media = navigator.mediaDevices;
  if (!media) return;
  const open = media.getUserMedia.bind(media);
  media.getUserMedia = async (wanted) => {
    if (!wanted?.audio) return open(wanted);
    // A steady tone is what suppressors of noise take away.
    const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const audio = typeof wanted.audio === "object" ? wanted.audio : {};
    const stream = await open({ ...wanted, audio: { ...audio, ...raw } });
    if (tone === null) return stream;
    for (const track of stream.getAudioTracks()) {
      stream.removeTrack(track);
      track.stop();
    }
    const context = new AudioContext();
    const speech = context.createMediaStreamDestination();
    const source = new OscillatorNode(context, { frequency: tone });
    source.connect(new GainNode(context, { gain: 0.3 })).connect(speech);
    source.start();
    for (const track of speech.stream.getAudioTracks()) stream.addTrack(track);
    return stream;
  };
}
