/**
 * State of the supervisor's children for the control process: the restarts of each name with their reasons. Also the replacements
 * that no control process has confirmed yet.
 */
import type { ProcessResource, ReplacedProcess, RestartReason } from '@rollcall/protocol';

/** Most replacements that wait for a control process; the oldest are dropped. */
const MAX_WAITING = 100;

/** A child that has ended and is restarted. */
export interface Replacement {
  readonly name: string;
  readonly pid: number;
  readonly reason: RestartReason;
  /** Text for logs and pages: the error that the child has reported, or `exit 1`, `SIGKILL`, `no answer for 10 s`. */
  readonly detail: string;
}

/** Current state of a child. */
export interface ChildNow
  extends Required<Pick<ProcessResource, 'name' | 'sinceUnixMs' | 'isServing' | 'failedStarts'>>,
    Pick<ProcessResource, 'certificates'> {
  readonly pid: number | undefined;
}

interface Row {
  readonly reasons: Record<RestartReason, number>;
  lastReason: string;
}

export class ProcessLedger {
  readonly #rows = new Map<string, Row>();
  #waiting: (Omit<ReplacedProcess, 'agoMs'> & { readonly atMs: number })[] = [];
  #number = 0;

  replaced({ name, pid, reason, detail }: Replacement, nowMs: number): void {
    const row = this.#rows.get(name) ?? { reasons: { exit: 0, signal: 0, 'no-answer': 0 }, lastReason: '' };
    this.#rows.set(name, row);
    row.reasons[reason]++;
    row.lastReason = detail;
    this.#waiting.push({ number: ++this.#number, name, pid, detail, atMs: nowMs });
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
  }

  /** A control process has noted the replacements up to `number`. */
  noted(number: number): void {
    this.#waiting = this.#waiting.filter((one) => one.number > number);
  }

  waiting(nowMs: number): readonly ReplacedProcess[] {
    return this.#waiting.map(({ atMs, ...one }) => ({ ...one, agoMs: Math.round(nowMs - atMs) }));
  }

  resources(children: readonly ChildNow[]): readonly ProcessResource[] {
    return children.map(({ pid, ...child }) => {
      const { name } = child;
      const { reasons = { exit: 0, signal: 0, 'no-answer': 0 }, lastReason } = this.#rows.get(name) ?? {};
      return {
        ...child,
        ...(pid !== undefined && { pid }),
        restarts: reasons.exit + reasons.signal + reasons['no-answer'],
        restartReasons: { ...reasons },
        ...(lastReason !== undefined && { lastReason }),
      };
    });
  }
}
