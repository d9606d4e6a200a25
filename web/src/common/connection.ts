/** A peer connection to the server, which answers every offer and makes none. */

/** ICE finds the addresses of this computer in a moment; one that hangs must not hold up an offer. */
const GATHERING_MS = 1500;

/** For this long a connection may be away by itself before a new offer is made. */
const PATIENCE_MS = 1500;

export interface ConnectionListener {
  readonly lost: () => void;
  readonly back: () => void;
}

export class Connection {
  readonly peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  private offers = 0;
  private patience: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly listener: ConnectionListener) {
    this.peer.oniceconnectionstatechange = () => this.watch();
  }

  /** A complete offer, with all addresses in it; `null` where a later one has overtaken it. */
  async offer(restart: boolean): Promise<string | null> {
    this.offers += 1;
    const turn = this.offers;
    const offer = await this.peer.createOffer({ iceRestart: restart });
    await this.peer.setLocalDescription(offer);
    await this.gathered();
    return turn === this.offers ? (this.peer.localDescription?.sdp ?? null) : null;
  }

  /** Takes the answer to the latest offer; one to an earlier offer is not asked for any more. */
  async answer(sdp: string): Promise<void> {
    if (this.peer.signalingState !== "have-local-offer") return;
    await this.peer.setRemoteDescription({ type: "answer", sdp });
    // Where the old addresses still work, a restart changes no state that would be told of.
    this.watch();
  }

  close(): void {
    clearTimeout(this.patience);
    this.peer.oniceconnectionstatechange = null;
    this.peer.close();
  }

  private watch(): void {
    clearTimeout(this.patience);
    const state = this.peer.iceConnectionState;
    if (state === "connected" || state === "completed") this.listener.back();
    else if (state === "failed") this.listener.lost();
    else if (state === "disconnected") {
      this.patience = setTimeout(() => this.listener.lost(), PATIENCE_MS);
    }
  }

  private gathered(): Promise<void> {
    const { peer } = this;
    if (peer.iceGatheringState === "complete") return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(limit);
        peer.onicegatheringstatechange = null;
        resolve();
      };
      const limit = setTimeout(done, GATHERING_MS);
      peer.onicegatheringstatechange = () => {
        if (peer.iceGatheringState === "complete") done();
      };
    });
  }
}
