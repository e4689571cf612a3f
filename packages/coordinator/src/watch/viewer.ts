/**
 * One open stream of a channel. Frames are written while the connection takes them. A viewer that reads slowly gets the missed deltas later,
 * or a new snapshot, so that it holds few octets. Connections that read nothing are closed by `UnreadAnswers`.
 */
import type { Writable } from 'node:stream';
import type { Channel } from './channel.ts';
import type { Frame, FrameEncoding } from './frame.ts';

export interface ViewerParts {
  readonly output: Writable;
  readonly channel: Channel;
  readonly encoding: FrameEncoding;
  /** Frames of a viewer that has no state, or cannot resume. */
  readonly beginning: () => readonly Frame[];
  /** `Last-Event-ID` of the request. */
  readonly lastEventId: string | undefined;
}

export class Viewer {
  readonly #parts: ViewerParts;
  /** Number of the last event that was written; `undefined` before the first. */
  #at: number | undefined;
  #isBlocked = false;

  constructor(parts: ViewerParts) {
    this.#parts = parts;
    const { channel, lastEventId, output, encoding } = parts;
    this.#at = lastEventId === undefined ? undefined : channel.numberOf(lastEventId);
    output.write(encoding.begin());
    this.pump();
  }

  /** Writes what the viewer does not have yet, unless the connection is not ready for more. */
  pump(): void {
    const { output, channel, encoding, beginning } = this.#parts;
    if (this.#isBlocked || output.destroyed) return;
    const missed = this.#at === undefined ? undefined : channel.since(this.#at);
    const frames = missed ?? beginning();
    this.#at = channel.last;
    if (frames.length === 0) return;
    let isReady = true;
    for (const frame of frames) isReady = output.write(encoding.encode(frame));
    if (isReady) return;
    this.#isBlocked = true;
    output.once('drain', () => {
      this.#isBlocked = false;
      this.pump();
    });
  }

  /** Ends the stream after what was written. */
  end(): void {
    this.#parts.output.end(this.#parts.encoding.end());
  }
}
