/** The processes of `rollcall up` as their supervisor reports them: for status and metrics, and an event for each replacement. */
import type { ProcessResource, ReplacedProcess } from '@rollcall/protocol';
import type { History } from './events/history.ts';

/** The event contains the age of a replacement if it is reported later than this, milliseconds. */
const LATE_MS = 2_000;

/** Ended processes that are kept. */
const MAX_ENDED = 20;

export interface EndedProcess {
  readonly name: string;
  readonly pid: number;
  readonly detail: string;
  readonly atUnixMs: number;
}

export class SupervisedProcesses {
  readonly #history: History;
  #noted = 0;
  /** Empty without a supervisor. */
  resources: readonly ProcessResource[] = [];
  /** The last processes that ended and were replaced. */
  readonly ended: EndedProcess[] = [];
  readonly #nowUnixMs: () => number;

  constructor(history: History, nowUnixMs: () => number) {
    this.#history = history;
    this.#nowUnixMs = nowUnixMs;
  }

  report(processes: readonly ProcessResource[], replaced: readonly ReplacedProcess[]): void {
    this.resources = processes;
    for (const { number, name, pid, detail, agoMs } of replaced) {
      if (number <= this.#noted) continue;
      this.#noted = number;
      this.ended.push({ name, pid, detail, atUnixMs: this.#nowUnixMs() - agoMs });
      if (this.ended.length > MAX_ENDED) this.ended.shift();
      const late = agoMs > LATE_MS ? `, ${Math.round(agoMs / 1_000)} s ago` : '';
      const message = `process ${name} (pid ${pid}) ended (${detail})${late}; the supervisor replaces it`;
      this.#history.note({ type: 'process', message });
    }
  }
}
