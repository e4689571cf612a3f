/** A rate limit: so many at once, so many a second. */
export interface BucketOptions {
  readonly burst: number;
  readonly perSecond: number;
}

/** One bucket, full at first. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #filledAtMs: number;

  constructor({ burst, perSecond }: BucketOptions, nowMs: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1_000;
    this.#tokens = burst;
    this.#filledAtMs = nowMs;
  }

  /** Takes one; false when there is none. */
  take(nowMs: number): boolean {
    if (this.available(nowMs) < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** What could be taken at `nowMs`, a fraction included. */
  available(nowMs: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, nowMs - this.#filledAtMs) * this.#perMs);
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

  /** True when nothing could be taken for the key now. Takes nothing. */
  isEmpty(key: string, nowMs: number): boolean {
    return (this.#buckets.get(key)?.available(nowMs) ?? this.#options.burst) < 1;
  }
}
