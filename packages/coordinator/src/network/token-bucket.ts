/** A rate limit with a burst and a rate per second. */
export interface BucketOptions {
  readonly burst: number;
  readonly perSecond: number;
}

/** Stalls count up to this length, milliseconds: agents send far less than their rate allows. */
const MAX_STALL_MS = 60_000;
/** Data that arrived during a stall is read within this time after it, milliseconds. */
const CATCH_UP_MS = 5_000;

/** One bucket, full at first. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #filledAtMs: number;
  /** Tokens above the burst, until `#catchUpEndMs`. */
  #extra = 0;
  #catchUpEndMs = Number.NEGATIVE_INFINITY;

  constructor({ burst, perSecond }: BucketOptions, nowMs: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1_000;
    this.#tokens = burst;
    this.#filledAtMs = nowMs;
  }

  /** Takes one token; false if there is none. */
  take(nowMs: number): boolean {
    if (this.available(nowMs) < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes `amount` tokens even if they are missing. Missing tokens, at most `maxDebt`, are refilled first. */
  spend(amount: number, maxDebt: number, nowMs: number): void {
    this.#tokens = Math.max(-maxDebt, this.available(nowMs) - amount);
  }

  /** After a stall of the reader for `stalledMs` until now, allows the amount that a sender could have sent in this time. */
  catchUp(stalledMs: number, nowMs: number): void {
    const tokens = this.available(nowMs);
    const extra = Math.min(stalledMs, MAX_STALL_MS) * this.#perMs;
    this.#extra = Math.min(this.#extra + extra, MAX_STALL_MS * this.#perMs);
    this.#catchUpEndMs = nowMs + CATCH_UP_MS;
    this.#tokens = Math.min(this.#burst + this.#extra, tokens + extra);
  }

  /** Tokens available at `nowMs`, with a fraction. */
  available(nowMs: number): number {
    if (nowMs > this.#catchUpEndMs) this.#extra = 0;
    const most = this.#burst + this.#extra;
    this.#tokens = Math.min(most, this.#tokens + Math.max(0, nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = Math.max(this.#filledAtMs, nowMs);
    return this.#tokens;
  }
}

/** One bucket per key, at most `maxKeys`; beyond that the longest unused key starts again with a full bucket. */
export class KeyedBuckets {
  readonly #options: BucketOptions;
  readonly #maxKeys: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(options: BucketOptions, maxKeys: number) {
    this.#options = options;
    this.#maxKeys = maxKeys;
  }

  take(key: string, nowMs: number): boolean {
    const known = this.#buckets.get(key);
    const bucket = known ?? new TokenBucket(this.#options, nowMs);
    if (known) this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxKeys) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket.take(nowMs);
  }

  /** Takes one token and returns 0, or returns the milliseconds until there is one. */
  takeOrWaitMs(key: string, nowMs: number): number {
    if (this.take(key, nowMs)) return 0;
    const missing = 1 - this.#buckets.get(key)!.available(nowMs);
    return Math.max(1, Math.ceil((missing * 1_000) / this.#options.perSecond));
  }

  /** The key with the most taken tokens, and their number, rounded. */
  fullest(nowMs: number): readonly [key: string | undefined, taken: number] {
    let found: readonly [string | undefined, number] = [undefined, 0];
    for (const [key, bucket] of this.#buckets) {
      const taken = Math.round(this.#options.burst - bucket.available(nowMs));
      if (taken > found[1]) found = [key, taken];
    }
    return found;
  }

  /** True if no token is available for the key now. Takes none. */
  isEmpty(key: string, nowMs: number): boolean {
    return (this.#buckets.get(key)?.available(nowMs) ?? this.#options.burst) < 1;
  }
}
