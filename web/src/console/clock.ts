/** The server's clock, which may go otherwise than that of the computer that shows the page. */

/** Closer than this they are taken to be the same: answers are dated to the second, and take their time. */
const CLOSE_MS = 2000;

export class Clock {
  private ahead = 0;

  /** An answer of the server was dated so, and came at `at` by the clock here. */
  hear(dated: string | null, at: number): void {
    const server = dated === null ? Number.NaN : Date.parse(dated);
    if (Number.isNaN(server)) return;
    const ahead = server - at;
    this.ahead = Math.abs(ahead) < CLOSE_MS ? 0 : ahead;
  }

  /** What it is at the server when it is `at` here. */
  now(at: number): number {
    return at + this.ahead;
  }
}
