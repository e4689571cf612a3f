/**
 * What is to be written at the end of a turn of the event loop. Texts of one turn leave together: whoever they go to is
 * then woken once and finds all of them, instead of being woken for each, which is the dearest part of a write.
 */
import type { TextWriter } from './text-writer.ts';

/** So many do not wait for the end of the turn: the first of them has waited long enough. */
const MAX_WRITERS = 64;

export class Outbox {
  #writers: TextWriter[] = [];
  #isPlanned = false;
  readonly #onTurnEnd = (): void => {
    this.#isPlanned = false;
    this.flush();
  };

  /** `writer` has something to write. */
  add(writer: TextWriter): void {
    this.#writers.push(writer);
    if (this.#writers.length >= MAX_WRITERS) this.flush();
    else if (!this.#isPlanned) {
      this.#isPlanned = true;
      setImmediate(this.#onTurnEnd);
    }
  }

  /** Has all of them write now. */
  flush(): void {
    const writers = this.#writers;
    this.#writers = [];
    for (const writer of writers) writer.flush();
  }
}
