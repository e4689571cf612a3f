/**
 * Whether a child still answers. The supervisor asks each child every `ASK_MS` and looks at the silence since the last
 * answer: after `SILENT_MS` the child is to end, `KILL_MS` later it is killed. Time in which the supervisor itself did
 * not run (stopped, starved of CPU, machine suspended) is no silence of the child: a look that comes late counts as one
 * period.
 */

/** Between two questions, and two looks, milliseconds. */
export const ASK_MS = 500;
/** A child that serves and is silent for this long is ended, milliseconds. */
export const SILENT_MS = 10_000;
/** The same before it serves: loading and compiling may block it, milliseconds. */
export const STARTING_SILENT_MS = 30_000;
/** From SIGTERM to SIGKILL, milliseconds. */
export const KILL_MS = 2_000;

export type Verdict = 'wait' | 'end' | 'kill';

export class ChildLiveness {
  /** Up to this instant the silence is counted. */
  #countedMs: number;
  #silentMs = 0;
  #isServing = false;
  #hasToEnd = false;

  constructor(nowMs: number) {
    this.#countedMs = nowMs;
  }

  /** A message of the child has come. */
  heard(nowMs: number): void {
    if (this.#hasToEnd) return;
    this.#silentMs = 0;
    this.#countedMs = nowMs;
  }

  serves(): void {
    this.#isServing = true;
  }

  /** How long it has been silent, milliseconds. */
  silentMs(nowMs: number): number {
    const passedMs = nowMs - this.#countedMs;
    return this.#silentMs + (passedMs > 2 * ASK_MS ? ASK_MS : passedMs);
  }

  /** What to do about it. Call every `ASK_MS`. `kill` comes after `end`. */
  look(nowMs: number): Verdict {
    const silentMs = this.silentMs(nowMs);
    this.#silentMs = silentMs;
    this.#countedMs = nowMs;
    if (this.#hasToEnd) return silentMs >= KILL_MS ? 'kill' : 'wait';
    if (silentMs < this.limitMs) return 'wait';
    this.#hasToEnd = true;
    this.#silentMs = 0;
    return 'end';
  }

  /** The silence after which it is ended, milliseconds. */
  get limitMs(): number {
    return this.#isServing ? SILENT_MS : STARTING_SILENT_MS;
  }
}
