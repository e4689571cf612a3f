/** Reports failed connections to the coordinators in one sentence, which is repeated only when it changes. */
import { addressCauses } from './connect-cause.ts';
import { coordinatorText, socketPathOf } from './coordinator-url.ts';
import type { Timers } from './timers.ts';

/** Fault of one address of a coordinator's name. Without `address`: of the name itself or of a literal address. */
export interface AddressFault {
  readonly address?: string;
  readonly cause: string;
  /** Protocol code of a refusal. */
  readonly code?: string;
}

/**
 * A warning. `code` is that of a refusal if a coordinator has refused. Otherwise it is `coordinator-unreachable` if others are
 * connected, and `no-coordinator` if none is.
 */
export interface UnreachableNotice {
  readonly code: string;
  readonly message: string;
}

/** Minimum time between two reports of the same alternating cause, in milliseconds. */
const REPEAT_AFTER_MS = 60_000;
const MAX_SENTENCES = 64;

export class Unreachable {
  readonly #timers: Timers;
  readonly #faults = new Map<string, readonly AddressFault[]>();
  readonly #saidAtMs = new Map<string, number>();
  #lastSaid = '';

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /**
   * Records the faults of the coordinator at `url`. Returns a warning once each of `urls` has failed; `undefined` if the
   * same warning was returned before. `hasOthers`: the node is connected to other coordinators.
   */
  failed(
    url: string,
    faults: readonly AddressFault[],
    urls: readonly string[],
    hasOthers: boolean = false,
  ): UnreachableNotice | undefined {
    this.#faults.set(url, faults);
    const all = urls.map((each) => this.#faults.get(each));
    if (all.includes(undefined)) return undefined;
    const message = this.#sentence(urls, hasOthers);
    const nowMs = this.#timers.nowMs();
    const saidAtMs = this.#saidAtMs.get(message);
    if (message === this.#lastSaid || (saidAtMs !== undefined && nowMs - saidAtMs < REPEAT_AFTER_MS)) return undefined;
    if (saidAtMs === undefined && this.#saidAtMs.size >= MAX_SENTENCES) return undefined;
    this.#saidAtMs.set(message, nowMs);
    this.#lastSaid = message;
    const code = all.flatMap((each) => each ?? []).find((fault) => fault.code !== undefined)?.code;
    return { code: code ?? (hasOthers ? 'coordinator-unreachable' : 'no-coordinator'), message };
  }

  /** Forgets the faults of `urls`, after a connection to one of them. */
  recovered(urls: readonly string[]): void {
    for (const url of urls) this.#faults.delete(url);
    this.#lastSaid = '';
  }

  /** Allows all warnings again, after a coordinator has accepted the node. */
  clear(): void {
    this.#faults.clear();
    this.#saidAtMs.clear();
    this.#lastSaid = '';
  }

  #sentence(urls: readonly string[], hasOthers: boolean): string {
    const byCause = new Map<string, string[]>();
    for (const url of urls) {
      const cause = addressCauses(this.#faults.get(url) ?? []);
      byCause.set(cause, [...(byCause.get(cause) ?? []), coordinatorText(url)]);
    }
    const parts = [...byCause].map(([cause, places]) => `${places.join(' and ')}: ${cause}`);
    const isLocal = urls.every((url) => socketPathOf(url) !== undefined);
    if (isLocal)
      return `cannot report to rollcall run, or to the leader of the workers, over ${parts.join('; over ')}; retrying`;
    const others = hasOthers ? 'other coordinators are connected; ' : '';
    return `cannot connect to ${urls.length === 1 ? 'the' : 'a'} coordinator at ${parts.join('; at ')}; ${others}retrying`;
  }
}
