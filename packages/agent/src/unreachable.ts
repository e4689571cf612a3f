/** What keeps an agent from its coordinators, in one sentence, repeated only when it changes. */
import { addressCauses } from './connect-cause.ts';
import { coordinatorText, socketPathOf } from './coordinator-url.ts';
import type { Timers } from './timers.ts';

/** What one address of a coordinator's name did; without an address, the name itself or a literal address. */
export interface AddressFault {
  readonly address?: string;
  readonly cause: string;
  /** The protocol's code of a refusal. */
  readonly code?: string;
}

/** What to say, with the code of a refusal when a coordinator has refused, otherwise `no-coordinator`. */
export interface UnreachableNotice {
  readonly code: string;
  readonly message: string;
}

/** Causes that alternate are repeated at most this often, in milliseconds. */
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
   * The coordinator at `url` could not be used. What to say, once each of `urls` has failed; `undefined` when there is
   * nothing new to say.
   */
  failed(url: string, faults: readonly AddressFault[], urls: readonly string[]): UnreachableNotice | undefined {
    this.#faults.set(url, faults);
    const all = urls.map((each) => this.#faults.get(each));
    if (all.includes(undefined)) return undefined;
    const message = this.#sentence(urls);
    const nowMs = this.#timers.nowMs();
    const saidAtMs = this.#saidAtMs.get(message);
    if (message === this.#lastSaid || (saidAtMs !== undefined && nowMs - saidAtMs < REPEAT_AFTER_MS)) return undefined;
    if (saidAtMs === undefined && this.#saidAtMs.size >= MAX_SENTENCES) return undefined;
    this.#saidAtMs.set(message, nowMs);
    this.#lastSaid = message;
    const code = all.flatMap((each) => each ?? []).find((fault) => fault.code !== undefined)?.code;
    return { code: code ?? 'no-coordinator', message };
  }

  /** A coordinator has accepted the node: everything may be said again. */
  clear(): void {
    this.#faults.clear();
    this.#saidAtMs.clear();
    this.#lastSaid = '';
  }

  #sentence(urls: readonly string[]): string {
    const byCause = new Map<string, string[]>();
    for (const url of urls) {
      const cause = addressCauses(this.#faults.get(url) ?? []);
      byCause.set(cause, [...(byCause.get(cause) ?? []), coordinatorText(url)]);
    }
    const parts = [...byCause].map(([cause, places]) => `${places.join(' and ')}: ${cause}`);
    const isLocal = urls.every((url) => socketPathOf(url) !== undefined);
    if (isLocal)
      return `cannot report to rollcall run, or to the leader of the workers, over ${parts.join('; over ')}; retrying`;
    return `cannot connect to ${urls.length === 1 ? 'the' : 'a'} coordinator at ${parts.join('; at ')}; retrying`;
  }
}
