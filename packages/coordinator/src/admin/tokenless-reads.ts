/**
 * Reads without a token are bounded in requests and in bytes of their answers, all of this machine together, so that
 * operators, agents and workers are served first. Without a token only this machine may read.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Identity } from '../auth/gate.ts';
import type { Clocks } from '../clocks.ts';
import { TokenBucket } from '../network/token-bucket.ts';
import { Refusal } from './refusal.ts';

/** Requests. An answer of more than `UNIT_BYTES` costs as much as one request for each of them. */
const READS = { burst: 200, perSecond: 200 };
const UNIT_BYTES = 16_384;
/** One large answer is made up for within this time, seconds. */
const MAX_DEBT_S = 10;
/** A refusal is delayed, so that a client in a loop costs little, milliseconds. */
const DELAY_MS = 500;
/** Refusals delayed at once; beyond it they are sent immediately. */
const MAX_DELAYED = 200;

export class TokenlessReads {
  readonly #clocks: Clocks;
  readonly #bucket: TokenBucket;
  #delayed = 0;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
    this.#bucket = new TokenBucket(READS, clocks.nowMs());
  }

  /** Lets a read in, or throws a `Refusal` after a delay. Others than reads without a token pass. */
  async admit({ by, role }: Identity): Promise<void> {
    if (by !== 'loopback' || role === 'join') return;
    const nowMs = this.#clocks.nowMs();
    if (this.#bucket.take(nowMs)) return;
    const retryAfterS = Math.max(1, Math.ceil((1 - this.#bucket.available(nowMs)) / READS.perSecond));
    if (this.#delayed < MAX_DELAYED) {
      this.#delayed += 1;
      await sleep(DELAY_MS);
      this.#delayed -= 1;
    }
    const message = `reads without a token are limited to ${READS.perSecond} a second and ${(READS.perSecond * UNIT_BYTES) / 1_048_576} MiB of answers a second; use a token`;
    throw new Refusal({ code: 'rate-limited', message }, retryAfterS);
  }

  /** Charges an answer of `bytes` to the one it is for. */
  charge(identity: Identity | null, bytes: number): void {
    if (identity?.by !== 'loopback' || bytes <= UNIT_BYTES) return;
    const { perSecond } = READS;
    this.#bucket.spend(Math.floor(bytes / UNIT_BYTES), perSecond * MAX_DEBT_S, this.#clocks.nowMs());
  }
}
