/**
 * One direction of a tunnel: its frames, and the close frame of the proxy that ends it. The close frame is written between two frames. What
 * the source sends after that is followed, to see its own close frame, and dropped.
 */
import type { FrameBorders } from './frame-borders.ts';

/** How a direction reaches its two ends. */
export interface DirectionEnds {
  /** Writes a copy of `octets[start, end)` to the target. */
  readonly write: (octets: Buffer, start: number, end: number) => void;
  /** Writes the close frame to the target. */
  readonly writeClose: () => void;
  /** Reads from the source again: nothing has to wait for the target any more. */
  readonly resume: () => void;
}

export class TunnelDirection {
  readonly borders: FrameBorders;
  /** Nothing more is written to the target. */
  isShut = false;
  /** The source has closed its side. */
  hasEnded = false;
  readonly #ends: DirectionEnds;

  constructor(borders: FrameBorders, ends: DirectionEnds) {
    this.borders = borders;
    this.#ends = ends;
  }

  /** The source sends nothing more: it has sent a close frame or closed its side. */
  get isDone(): boolean {
    return this.hasEnded || this.borders.hasClosed;
  }

  /** A close frame can be written now or later. */
  get canClose(): boolean {
    return !this.isShut && !this.borders.isLost;
  }

  /** Writes the close frame if the last octet was the end of a frame. After a close frame of the source itself none is needed. */
  close(): void {
    const { isAtBorder, hasClosed } = this.borders;
    if (this.isShut || !(isAtBorder || hasClosed)) return;
    this.isShut = true;
    if (!hasClosed) this.#ends.writeClose();
    this.#ends.resume();
  }

  /** Octets of the source while the tunnel is closing: the rest of the frame in progress is still written. */
  pass(octets: Buffer): void {
    let start = 0;
    if (!this.isShut) {
      start = this.borders.follow(octets, 0, true);
      this.#ends.write(octets, 0, start);
      this.close();
    }
    this.borders.follow(octets, start);
  }
}
