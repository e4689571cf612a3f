/**
 * Sums of counters that workers report as totals since their own start. A sum never falls: it includes workers that have ended, and another
 * process of the same name counts from 0.
 */

/** How counters of one kind are summed. */
export interface Summation<Key, Report, Sum> {
  key(report: Report): Key;
  zero(): Sum;
  /** Adds to `sum` what `report` has more than `before`; `undefined`: all of it. */
  add(sum: Sum, report: Report, before: Report | undefined): void;
  /** True if `report` has counted less than `before`, so that it began again at 0. */
  hasFallen(report: Report, before: Report): boolean;
}

/** A worker as it joins. */
export interface Reporter {
  readonly worker: string;
  /** Distinguishes processes of the same name. */
  readonly process: number | undefined;
  /** True if its counters began before this coordinator did. What they had counted when it joined is not added. */
  readonly isOlder: boolean;
}

/** An older worker sends its first report of each key within this time, milliseconds. */
const FIRST_REPORTS_MS = 5_000;

interface Known<Key, Report> {
  readonly process: number | undefined;
  readonly firstUntilMs: number;
  readonly last: Map<Key, Report>;
}

export class ReportedTotals<Key, Report, Sum> {
  readonly #summation: Summation<Key, Report, Sum>;
  readonly #maxWorkers: number;
  readonly #maxRows: number;
  /** In order of their last change. */
  readonly #sums = new Map<Key, Sum>();
  readonly #workers = new Map<string, Known<Key, Report>>();

  constructor(
    summation: Summation<Key, Report, Sum>,
    bounds: { readonly maxWorkers: number; readonly maxRows: number },
  ) {
    this.#summation = summation;
    this.#maxWorkers = bounds.maxWorkers;
    this.#maxRows = bounds.maxRows;
  }

  /** Adds a worker that has connected. The same process continues. */
  join({ worker, process, isOlder }: Reporter, nowMs: number): void {
    const known = this.#workers.get(worker);
    this.#workers.delete(worker);
    const isSame = known !== undefined && known.process === process;
    const firstUntilMs = isOlder && known === undefined ? nowMs + FIRST_REPORTS_MS : nowMs;
    this.#workers.set(worker, isSame ? known : { process, firstUntilMs, last: new Map() });
    if (this.#workers.size > this.#maxWorkers) this.#workers.delete(this.#workers.keys().next().value!);
  }

  /** Removes a worker that has ended. Its counts stay in the sums. */
  end(worker: string): void {
    this.#workers.delete(worker);
  }

  /** Adds a worker's newest counters. A worker that has not joined is ignored. */
  add(worker: string, reports: readonly Report[], nowMs: number): void {
    const known = this.#workers.get(worker);
    if (known === undefined) return;
    for (const report of reports) {
      const key = this.#summation.key(report);
      const last = known.last.get(key);
      const before = last === undefined && nowMs < known.firstUntilMs ? report : last;
      known.last.set(key, report);
      if (known.last.size > this.#maxRows) known.last.delete(known.last.keys().next().value!);
      const sum = this.#sums.get(key) ?? this.#summation.zero();
      const isNew = before === undefined || this.#summation.hasFallen(report, before);
      this.#summation.add(sum, report, isNew ? undefined : before);
      this.#sums.delete(key);
      this.#sums.set(key, sum);
      if (this.#sums.size > this.#maxRows) this.#sums.delete(this.#sums.keys().next().value!);
    }
  }

  /** `undefined` before the first report. */
  get(key: Key): Sum | undefined {
    return this.#sums.get(key);
  }

  /** All sums, also of keys that are not used any more. */
  all(): Iterable<Sum> {
    return this.#sums.values();
  }

  forget(key: Key): void {
    this.#sums.delete(key);
    for (const { last } of this.#workers.values()) last.delete(key);
  }
}
