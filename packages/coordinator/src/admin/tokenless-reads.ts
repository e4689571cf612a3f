/**
 * Reads without a token are bounded in requests, in bytes of their answers and in time of the event loop, all of this
 * machine together, so that operators, agents and workers are served first. Without a token only this machine may read.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Identity } from '../auth/gate.ts';
import type { Clocks } from '../clocks.ts';
import { TokenBucket } from '../network/token-bucket.ts';
import { Refusal } from './refusal.ts';

/** Requests. A large or slow one costs as much as one request for each of its units of bytes or of time, whichever is more. */
const READS = { burst: 200, perSecond: 200 };
const UNIT_BYTES = 16_384;
/** Time of the event loop: 200 units are a tenth of it, milliseconds. */
const UNIT_MS = 0.5;
/** One large answer is made up for within this time, seconds. */
const MAX_DEBT_S = 10;
/** A refusal is delayed, so that a client in a loop costs little, milliseconds. */
const DELAY_MS = 500;
/** Refusals delayed at once; beyond it they are sent immediately. */
const MAX_DELAYED = 200;

/** The clocks when a read was let in. */
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
   * Lets the read `request` in, or throws a `Refusal` after a delay. Others than reads without a token pass.
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

  /** Charges an answer of `bytes`, once for each `request` that was let in; nothing for those with a token. */
  charge(request: object, bytes: number): void {
    const begun = this.#begun.get(request);
    if (begun === undefined) return;
    this.#begun.delete(request);
    // Neither the time that the event loop was idle, as while a worker was asked, nor the time that other processes had the processor.
    const { user, system } = process.cpuUsage(begun.cpu);
    const activeMs = Math.min(performance.eventLoopUtilization(begun.loop).active, (user + system) / 1_000);
    const units = Math.floor(Math.max(bytes / UNIT_BYTES, activeMs / UNIT_MS));
    this.#bucket.spend(units, READS.perSecond * MAX_DEBT_S, this.#clocks.nowMs());
  }
}
