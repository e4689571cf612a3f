/** The processes of `rollcall up` as their supervisor reports them: for status and metrics, and an event for each replacement. */
import type { ProcessResource, ReplacedProcess } from '@rollcall/protocol';
import type { History } from './events/history.ts';

/** The event contains the age of a replacement if it is reported later than this, milliseconds. */
const LATE_MS = 2_000;

export class SupervisedProcesses {
  readonly #history: History;
  #noted = 0;
  /** Empty without a supervisor. */
  resources: readonly ProcessResource[] = [];

  constructor(history: History) {
    this.#history = history;
  }

  report(processes: readonly ProcessResource[], replaced: readonly ReplacedProcess[]): void {
    this.resources = processes;
    for (const { number, name, pid, detail, agoMs } of replaced) {
      if (number <= this.#noted) continue;
      this.#noted = number;
      const late = agoMs > LATE_MS ? `, ${Math.round(agoMs / 1_000)} s ago` : '';
      const message = `process ${name} (pid ${pid}) ended (${detail})${late}; the supervisor replaces it`;
      this.#history.note({ type: 'process', message });
    }
  }
}
