/** The devices of one's own: microphone, loudspeaker, camera and screen. */

import { signal } from "@preact/signals";
import { cameraProblem, microphoneProblem, openCamera, openMicrophone } from "../common/devices";
import { type Preferences, preferences, remember } from "../common/preferences";
import type { Sound } from "../common/sound";
import { captureScreen } from "./pictures";

export interface EquipmentListener {
  readonly warn: (text: string) => void;
  /** There is another microphone. */
  readonly spoken: (track: MediaStreamTrack) => void;
  /** There is no microphone any more. */
  readonly silenced: () => void;
  /** There is another camera, or none. */
  readonly seen: (track: MediaStreamTrack | null) => void;
  /** The browser has ended the capture of the screen, such as by its own button. */
  readonly screenEnded: () => void;
}

export class Equipment {
  readonly microphone = signal<MediaStreamTrack | null>(null);
  readonly camera = signal<MediaStreamTrack | null>(null);
  readonly screen = signal<MediaStreamTrack | null>(null);
  /** Without a microphone, too. */
  readonly muted = signal(false);
  readonly preferred = signal<Preferences>(preferences());

  private sound: Sound | undefined;
  private isClosed = false;
  private opening: Promise<MediaStreamTrack | null> | undefined;

  constructor(private readonly listener: EquipmentListener) {}

  /** Opens the microphone; without one, one is muted, and comes in all the same. */
  async prepare(): Promise<void> {
    this.isClosed = false;
    if (!(await this.openMicrophone())) this.mute(true);
  }

  /** Whether there is a microphone now. */
  async openMicrophone(): Promise<boolean> {
    this.isClosed = false;
    this.opening ??= this.openOne();
    const track = await this.opening;
    this.opening = undefined;
    return track !== null;
  }

  mute(muted: boolean): void {
    this.muted.value = muted;
    const track = this.microphone.value;
    if (track) track.enabled = !muted;
  }

  /** Whether the camera is now as it is wanted. */
  async turnCamera(on: boolean): Promise<boolean> {
    if (on === (this.camera.value !== null)) return true;
    if (!on) {
      this.put(null);
      return true;
    }
    this.isClosed = false;
    try {
      const track = await openCamera(this.preferred.value.camera);
      if (this.isClosed) {
        track.stop();
        return false;
      }
      this.put(track);
      return true;
    } catch (error) {
      this.listener.warn(cameraProblem(error));
      return false;
    }
  }

  /** Whether there is a screen to share now. */
  async captureScreen(): Promise<boolean> {
    try {
      const track = await captureScreen();
      if (!track) return false;
      this.stopScreen();
      this.screen.value = track;
      track.onended = () => {
        if (this.screen.value === track) this.listener.screenEnded();
      };
      return true;
    } catch {
      this.listener.warn("The screen cannot be captured. Try again, or share another window.");
      return false;
    }
  }

  stopScreen(): void {
    this.screen.value?.stop();
    this.screen.value = null;
  }

  /** The sound that microphone and loudspeaker belong to. */
  plugIn(sound: Sound | undefined): void {
    this.sound = sound;
    void this.listenAt(this.preferred.value.speaker);
  }

  async listenAt(device: string): Promise<void> {
    try {
      await this.sound?.listenAt(device);
    } catch {
      this.listener.warn("This loudspeaker cannot be used. Choose another.");
    }
  }

  /** Other devices; those in use are exchanged without a break. */
  async prefer(preferred: Preferences): Promise<void> {
    const before = this.preferred.value;
    this.preferred.value = preferred;
    remember(preferred);
    if (preferred.microphone !== before.microphone && this.microphone.value) {
      await this.exchangeMicrophone();
    }
    if (preferred.camera !== before.camera && this.camera.value) {
      // Some cameras are opened only once.
      this.camera.value.stop();
      this.camera.value = null;
      if (!(await this.turnCamera(true))) this.listener.seen(null);
    }
  }

  /** Nobody is listened to or seen any more. */
  close(): void {
    this.isClosed = true;
    this.microphone.value?.stop();
    this.microphone.value = null;
    this.camera.value?.stop();
    this.camera.value = null;
    this.stopScreen();
  }

  private async openOne(): Promise<MediaStreamTrack | null> {
    if (this.microphone.value) return this.microphone.value;
    return this.take();
  }

  private async exchangeMicrophone(): Promise<void> {
    const old = this.microphone.value;
    if (await this.take()) old?.stop();
  }

  private async take(): Promise<MediaStreamTrack | null> {
    try {
      const track = await openMicrophone(this.preferred.value.microphone);
      if (this.isClosed) {
        track.stop();
        return null;
      }
      track.enabled = !this.muted.value;
      track.onended = () => this.gone(track);
      this.microphone.value = track;
      this.listener.spoken(track);
      return track;
    } catch (error) {
      this.listener.warn(microphoneProblem(error));
      return null;
    }
  }

  private gone(track: MediaStreamTrack): void {
    if (this.microphone.value !== track) return;
    this.microphone.value = null;
    this.mute(true);
    this.listener.silenced();
    this.listener.warn("The microphone is gone. Plug it in again, or choose another.");
  }

  private put(track: MediaStreamTrack | null): void {
    this.camera.value?.stop();
    this.camera.value = track;
    if (track) {
      track.onended = () => {
        if (this.camera.value !== track) return;
        this.camera.value = null;
        this.listener.seen(null);
        this.listener.warn("The camera is gone. Plug it in again, or choose another.");
      };
    }
    this.listener.seen(track);
  }
}
