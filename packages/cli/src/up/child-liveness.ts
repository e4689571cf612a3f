/**
 * Decides whether a child still answers. The supervisor pings each child every `ASK_MS` and checks the silence since the last
 * answer. After `SILENT_MS` the child is ended, and killed `KILL_MS` later. Two times are not silence:
 *
 * - Time when the supervisor itself did not run (stopped, starved of CPU, machine suspended): a late check counts as one period.
 * - Time when the child waited for a CPU: its replacement would be slower still.
 */

/** Time between two pings, and between two checks, milliseconds. */
export const ASK_MS = 500;
/** A child that serves and is silent for this long is ended, milliseconds. */
export const SILENT_MS = 10_000;
/** The same limit before the child serves, because loading and compiling may block it, milliseconds. */
export const STARTING_SILENT_MS = 30_000;
/** Time from SIGTERM to SIGKILL, milliseconds. */
export const KILL_MS = 2_000;

export type Verdict = 'wait' | 'end' | 'kill';

export class ChildLiveness {
  /** Silence is counted up to this instant. */
  #countedMs: number;
  #silentMs = 0;
  #isServing = false;
  #hasToEnd = false;
  /** Time that the child had waited for a CPU at the last check. */
  #waitedMs: number | undefined;

  constructor(nowMs: number) {
    this.#countedMs = nowMs;
  }

  /** The child has sent a message. */
  received(nowMs: number): void {
    if (this.#hasToEnd) return;
    this.#silentMs = 0;
    this.#countedMs = nowMs;
  }

  serves(): void {
    this.#isServing = true;
  }

  /** Current silence, milliseconds. */
  silentMs(nowMs: number): number {
    const passedMs = nowMs - this.#countedMs;
    return this.#silentMs + (passedMs > 2 * ASK_MS ? ASK_MS : passedMs);
  }

  /**
   * The action for this child; to be called every `ASK_MS`. `kill` follows `end`. `waitedMs`: time that the child has waited for a
   * CPU since its start; `undefined` if unknown.
   */
  look(nowMs: number, waitedMs?: number): Verdict {
    const newWaitMs = Math.max(0, (waitedMs ?? 0) - (this.#waitedMs ?? waitedMs ?? 0));
    this.#waitedMs = waitedMs;
    const silentMs = Math.max(this.#silentMs, this.silentMs(nowMs) - newWaitMs);
    this.#silentMs = silentMs;
    this.#countedMs = nowMs;
    if (this.#hasToEnd) return silentMs >= KILL_MS ? 'kill' : 'wait';
    if (silentMs < this.limitMs) return 'wait';
    this.#hasToEnd = true;
    this.#silentMs = 0;
    return 'end';
  }

  /** Silence after which the child is ended, milliseconds. */
  get limitMs(): number {
    return this.#isServing ? SILENT_MS : STARTING_SILENT_MS;
  }
}
