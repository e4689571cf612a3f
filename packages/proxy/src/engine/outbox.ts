/**
 * Texts that are written at the end of a turn of the event loop. Texts of one turn are written together. The receiver is woken once for
 * all of them, not for each; waking it is the most expensive part of a write.
 *
 * At low rates a turn has a single text. Waiting for the end of the turn then costs an eighth of a request without a gain. Such texts are
 * written at once, and one of them waits from time to time to see whether others follow.
 */
/** From this number of writers on, the outbox is written before the end of the turn. */
const MAX_WRITERS = 64;
/** After this number of turns with a single text, texts are written at once. */
const SINGLE_TURNS = 2;
/** Texts that are then written at once before a turn is measured again. */
const AT_ONCE = 32;

/** A writer whose text waits in an outbox. */
export interface WaitingWriter {
  /** Writes the waiting text. */
  flush(): void;
}

export class Outbox {
  #writers: WaitingWriter[] = [];
  #isPlanned = false;
  /** Texts of this turn that wait or have waited. */
  #texts = 0;
  #singleTurns = 0;
  /** Texts that may still be written at once. */
  #atOnce = 0;
  readonly #onTurnEnd = (): void => {
    this.#isPlanned = false;
    this.#singleTurns = this.#texts === 1 ? this.#singleTurns + 1 : 0;
    this.#texts = 0;
    if (this.#singleTurns >= SINGLE_TURNS) this.#atOnce = AT_ONCE;
    this.flush();
  };

  /** True if the next text waits for others of its turn. Called once for each text. */
  asksToWait(): boolean {
    if (this.#atOnce > 0) {
      this.#atOnce--;
      return false;
    }
    this.#texts++;
    return true;
  }

  /** `writer` has a waiting text. */
  add(writer: WaitingWriter): void {
    this.#writers.push(writer);
    if (this.#writers.length >= MAX_WRITERS) this.flush();
    else if (!this.#isPlanned) {
      this.#isPlanned = true;
      setImmediate(this.#onTurnEnd);
    }
  }

  /** Makes all of them write now. */
  flush(): void {
    const writers = this.#writers;
    this.#writers = [];
    for (const writer of writers) writer.flush();
  }
}
