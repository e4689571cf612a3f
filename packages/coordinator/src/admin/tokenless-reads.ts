/**
 * Limits reads without a token in requests, in bytes of their answers and in time of the event loop. The limits are shared by all
 * clients on this machine, so that operators, agents and workers are served first. Other machines cannot read without a token.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Identity } from '../auth/gate.ts';
import type { Clocks } from '../clocks.ts';
import { TokenBucket } from '../network/token-bucket.ts';
import { Refusal } from './refusal.ts';

/**
 * Rate limit of requests. A large or slow request costs as much as one request per unit of bytes or of time, whichever is more.
 */
const READS = { burst: 200, perSecond: 200 };
const UNIT_BYTES = 16_384;
/** Unit of event loop time, milliseconds: 200 units a second are a tenth of it. */
const UNIT_MS = 0.5;
/** Upper bound of the time, seconds, in which the debt of one large answer is repaid. */
const MAX_DEBT_S = 10;
/** Delay of a refusal, milliseconds, so that a client in a loop costs little. */
const DELAY_MS = 500;
/** Upper bound of simultaneously delayed refusals; beyond it refusals are sent immediately. */
const MAX_DELAYED = 200;

/** The clocks at the admission of a read. */
interface Begun {
  readonly loop: ReturnType<typeof performance.eventLoopUtilization>;
  readonly cpu: NodeJS.CpuUsage;
}

export class TokenlessReads {
  readonly #clocks: Clocks;
  readonly #bucket: TokenBucket;
  readonly #begun = new WeakMap<object, Begun>();
  #delayed = 0;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
    this.#bucket = new TokenBucket(READS, clocks.nowMs());
  }

  /**
   * Admits the read `request`, or throws a `Refusal` after a delay. All requests other than reads without a token are admitted.
   * `request` is the key of its later charge.
   */
  async admit({ by, role }: Identity, request: object): Promise<void> {
    if (by !== 'loopback' || role === 'join') return;
    const nowMs = this.#clocks.nowMs();
    if (this.#bucket.take(nowMs)) {
      this.#begun.set(request, { loop: performance.eventLoopUtilization(), cpu: process.cpuUsage() });
      return;
    }
    const retryAfterS = Math.max(1, Math.ceil((1 - this.#bucket.available(nowMs)) / READS.perSecond));
    if (this.#delayed < MAX_DELAYED) {
      this.#delayed += 1;
      await sleep(DELAY_MS);
      this.#delayed -= 1;
    }
    const message = `reads without a token are limited to ${READS.perSecond} a second, ${(READS.perSecond * UNIT_BYTES) / 1_048_576} MiB of answers a second and a tenth of the event loop; use a token`;
    throw new Refusal({ code: 'rate-limited', message }, retryAfterS);
  }

  /** Charges an answer of `bytes` once per admitted `request`. Requests with a token are not charged. */
  charge(request: object, bytes: number): void {
    const begun = this.#begun.get(request);
    if (begun === undefined) return;
    this.#begun.delete(request);
    // Excludes the time that the event loop was idle, for example while a worker was asked, and the time that other processes
    // had the processor.
    const { user, system } = process.cpuUsage(begun.cpu);
    const activeMs = Math.min(performance.eventLoopUtilization(begun.loop).active, (user + system) / 1_000);
    const units = Math.floor(Math.max(bytes / UNIT_BYTES, activeMs / UNIT_MS));
    this.#bucket.spend(units, READS.perSecond * MAX_DEBT_S, this.#clocks.nowMs());
  }
}
