/** Forwards pictures between pages as the server does, in a page of its own. */

import type { Browser, Page } from "playwright-core";
import type { PictureKind } from "../src/meeting/protocol";
import { open } from "./browser";

/** A line of a page, and whose picture it shows. */
export interface Watched {
  readonly line: string;
  readonly page: string;
  readonly kind: PictureKind;
}

interface Relay {
  answer: (page: string, sdp: string) => Promise<string>;
  watch: (page: string, tiles: readonly Watched[]) => void;
  forget: () => void;
}

export class PictureRelay {
  private constructor(private readonly page: Page) {}

  static async open(browser: Browser, address: string): Promise<PictureRelay> {
    const { page } = await open(browser, address);
    await page.evaluate(() => {
      interface Side {
        readonly key: string;
        readonly peer: RTCPeerConnection;
        tiles: readonly Watched[];
      }
      const sides = new Map<string, Side>();
      // The lines of a page: its camera, its screen, then those that receive.
      const picture = (page: string, kind: string) => {
        const lines = sides.get(page)?.peer.getTransceivers() ?? [];
        return lines[kind === "camera" ? 0 : 1]?.receiver.track ?? null;
      };
      const show = ({ peer, tiles }: Side) => {
        for (const line of peer.getTransceivers().slice(2)) {
          const tile = tiles.find((one) => one.line === line.mid);
          void line.sender.replaceTrack(tile ? picture(tile.page, tile.kind) : null);
        }
      };
      const begin = (key: string): Side => ({ key, peer: new RTCPeerConnection(), tiles: [] });
      const agree = async (peer: RTCPeerConnection, sdp: string) => {
        await peer.setRemoteDescription({ type: "offer", sdp });
        for (const line of peer.getTransceivers().slice(2)) line.direction = "sendonly";
        await peer.setLocalDescription();
        while (peer.iceGatheringState !== "complete") {
          await new Promise((resolve) => {
            peer.onicegatheringstatechange = resolve;
          });
        }
      };
      const relay: Relay = {
        answer: async (page, sdp) => {
          const key = /a=fingerprint:(.*)/.exec(sdp)?.[1] ?? "";
          const known = sides.get(page);
          const side = known?.key === key ? known : begin(key);
          if (side !== known) known?.peer.close();
          sides.set(page, side);
          await agree(side.peer, sdp);
          for (const other of sides.values()) show(other);
          return side.peer.localDescription?.sdp ?? "";
        },
        watch: (page, tiles) => {
          const side = sides.get(page);
          if (!side) return;
          side.tiles = tiles;
          show(side);
        },
        forget: () => {
          for (const { peer } of sides.values()) peer.close();
          sides.clear();
        },
      };
      Object.assign(window, { relay });
    });
    return new PictureRelay(page);
  }

  answer(page: string, sdp: string): Promise<string> {
    return this.page.evaluate(
      ([page, sdp]) => (window as unknown as { relay: Relay }).relay.answer(page, sdp),
      [page, sdp] as const,
    );
  }

  watch(page: string, tiles: readonly Watched[]): Promise<void> {
    return this.page.evaluate(
      ([page, tiles]) => (window as unknown as { relay: Relay }).relay.watch(page, tiles),
      [page, tiles] as const,
    );
  }

  /** Closes the connections of all pages. */
  forget(): Promise<void> {
    return this.page.evaluate(() => (window as unknown as { relay: Relay }).relay.forget());
  }
}
