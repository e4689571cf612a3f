/**
 * What is to be written at the end of a turn of the event loop. Texts of one turn leave together: whoever they go to is
 * then woken once and finds all of them, instead of being woken for each, which is the dearest part of a write.
 *
 * Where little is going on a text has its turn for itself, and to wait for the end of it is only more work, an eighth of a
 * request's. Texts are then written at once, and now and then one waits to see whether others come.
 */
import type { TextWriter } from './text-writer.ts';

/** So many do not wait for the end of the turn: the first of them has waited long enough. */
const MAX_WRITERS = 64;
/** So many turns in a row had one text each: the next will have as well. */
const LONELY_TURNS = 2;
/** Texts that are then written at once before a turn is looked at again. */
const AT_ONCE = 32;

export class Outbox {
  #writers: TextWriter[] = [];
  #isPlanned = false;
  /** Texts of this turn that wait, or have waited. */
  #texts = 0;
  #lonelyTurns = 0;
  /** Texts that may still be written at once. */
  #atOnce = 0;
  readonly #onTurnEnd = (): void => {
    this.#isPlanned = false;
    this.#lonelyTurns = this.#texts === 1 ? this.#lonelyTurns + 1 : 0;
    this.#texts = 0;
    if (this.#lonelyTurns >= LONELY_TURNS) this.#atOnce = AT_ONCE;
    this.flush();
  };

  /** Does the text that comes now wait for others of its turn? Ask once for each. */
  asksToWait(): boolean {
    if (this.#atOnce > 0) {
      this.#atOnce--;
      return false;
    }
    this.#texts++;
    return true;
  }

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
