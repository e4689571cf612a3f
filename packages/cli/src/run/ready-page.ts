/** Requests the page that reports whether a program is ready for new work, by the rules of `ReadyPath`. */
import { READY_GIVE_UP_MS, ReadyPath } from '@rollcall/protocol';
import { type ProbeAnswer, probe } from './probe.ts';

export interface ReadyPageOptions {
  readonly port: number;
  readonly path: string;
  /** Default false. */
  readonly isTls?: boolean;
  /** Default 2,000. */
  readonly lateMs?: number;
  /** Default 1,000. */
  readonly intervalMs?: number;
  readonly nowMs: () => number;
}

export class ReadyPage {
  readonly #options: ReadyPageOptions;
  readonly #state: ReadyPath;
  readonly #abort = new AbortController();
  #answer: Promise<ProbeAnswer> = Promise.resolve({ type: 'unconnected' });

  constructor(options: ReadyPageOptions) {
    this.#options = options;
    this.#state = new ReadyPath(options);
  }

  /** The last answer was HTTP below 500. True before the first: the program was ready when it was registered. */
  get isReady(): boolean {
    return this.#state.isReady;
  }

  /** Status of the last answer; 0 if it was not HTTP, `undefined` before the first. */
  get status(): number | undefined {
    return this.#state.status;
  }

  /** The last answer, or the pending one, is late. */
  get isLate(): boolean {
    return this.#state.isLate(this.#options.nowMs());
  }

  /**
   * Sends a request, unless one is open or a pause is not over, and waits up to `waitMs` for the answer. Returns `undefined` without
   * a request or an answer; a late answer is used when it arrives. Never rejects.
   */
  async request(addresses: readonly string[], waitMs: number): Promise<ProbeAnswer | undefined> {
    if (!this.#state.isOpen) {
      if (!this.#state.isDue(this.#options.nowMs()) || this.#abort.signal.aborted) return undefined;
      this.#answer = this.#question(addresses);
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, waitMs, undefined);
    });
    const answer = await Promise.race([this.#answer, late]);
    clearTimeout(timer);
    return answer;
  }

  /** Aborts an open request and sends no more. */
  close(): void {
    this.#abort.abort();
  }

  async #question(addresses: readonly string[]): Promise<ProbeAnswer> {
    const { port, path, isTls = false, nowMs } = this.#options;
    this.#state.asked(nowMs());
    const { signal } = this.#abort;
    const answer = await probe({ port, addresses, method: 'GET', path, isTls, timeoutMs: READY_GIVE_UP_MS, signal });
    this.#state.take(answer, nowMs());
    return answer;
  }
}
