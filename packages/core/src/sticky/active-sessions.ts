/**
 * Distinct session ids seen within the idle time, counted by several workers and merged by the coordinator. A node has two such
 * tables: see `node-sessions.ts`.
 *
 * The table has 48-bit hashes of session ids, each with the part of the idle time in which it was last seen. Up to 32,768
 * sessions all are in the table. Above, the table has the sessions whose hash ends in `level` zero bits, and each stands
 * for 2^level. All workers use the same hash, so a session seen by two workers is one entry of the merged table. The
 * sample holds at least 16,384 sessions. That is a standard error of at most 0.8 %: within 2 % for 99 of 100 populations.
 *
 * When the number of sessions falls, finer hashes are admitted again. They are counted one idle time later, when every
 * active session must have been seen.
 *
 * A session with an open tunnel is held: it counts as seen in each part of the idle time until the tunnel ends.
 *
 * The table is open addressing in typed arrays: a request of a known session allocates nothing.
 *
 * @see Flajolet, "On adaptive sampling", Computing 43 (1990); the first half of the hash is
 *   FNV-1a, the second a multiplicative hash, both finished by `mixBits`.
 */
import type { SessionSample } from '@rollcall/feed';
import { type HeldSession, HeldSessions } from './held-sessions.ts';
import { mixBits } from './text-hash.ts';

/** Up to this many sessions are counted exactly; beyond it a sample of the ids stands for all. */
const MAX_SAMPLE = 32_768;
/** Parts of the idle time. A session counts for up to one part longer than it was active, after merging for up to two. */
const PARTS = 16;
/** Shortest part, milliseconds: numbers of parts stay within 31 bits. */
const MIN_PART_MS = 10;
/** Unit of the instants at which sessions were first seen, milliseconds. Parts are too long: an age would be minutes too high. */
const FIRST_UNIT_MS = 100;
const HASH_HALF_BITS = 24;
const HASH_MASK = 0xff_ffff;
const FIRST_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const SECOND_OFFSET = 0x6a09e667;
/** 2^32 divided by the golden ratio, made odd (Knuth, volume 3, §6.4). */
const GOLDEN_RATIO = 0x9e3779b1;
const MAX_LEVEL = HASH_HALF_BITS;
const FIRST_CAPACITY = 16;
/** Slots that each new entry sweeps while a sample becomes coarser, so that no request waits for tens of thousands of slots. */
const SWEPT_AT_ONCE = 16;
/** Flags in one number (`WORD`), and the bits of a flag's position in it. */
const WORD_BITS = 5;
const WORD = 1 << WORD_BITS;
/** A table with more slots than this for each entry is made smaller. */
const SPARSE = 16;
/** Sentinel instead of the number of a part. */
const NEVER = -0x8000_0000;
/** Sentinel "no sweep in progress", above every index. A small integer, so that V8 keeps the field unboxed. */
const NOWHERE = 0x3fff_ffff;
/** Numbers of a slot: two halves of the hash, and two instants. */
const WIDTH_BITS = 2;
const WIDTH = 1 << WIDTH_BITS;
const LOW = 0;
const HIGH = 1;
/** Part in which the session was last seen; `NEVER` for a free slot. */
const SEEN = 2;
/** Instant at which the session was first seen, without a pause longer than the idle time, in `FIRST_UNIT_MS`. */
const FIRST = 3;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const DIGITS: Uint8Array = Uint8Array.from(ALPHABET, (digit) => digit.charCodeAt(0));
const DIGIT_VALUES: Uint8Array = digitValues();

export class ActiveSessions {
  /** Secret seed of the positions in the table, so that clients cannot craft colliding ids. */
  readonly #seed: number;
  /** `WIDTH` adjacent numbers per slot, so that reading a slot is one memory access. See `LOW` … `FIRST`. */
  #slots: Int32Array = freeSlots(FIRST_CAPACITY);
  /** A flag for each slot: its entry was not taken since it was inserted or was seen in a newer part. */
  #untoldFlags = new Int32Array(wordsFor(FIRST_CAPACITY));
  #size = 0;
  #partMs: number;
  /** Number of entries by the number of zero bits at the end of their hash. */
  readonly #byZeros = new Int32Array(HASH_HALF_BITS + 1);
  /** Zero bits at the end of the hash that an entry needs to be counted. */
  #level = 0;
  /** Zero bits that a hash needs to be admitted; fewer than `#level` while the sample becomes finer. */
  #admits = 0;
  #admitsSince = NEVER;
  /** Level of the coarsest sample among the merged ones: lower bound of `#level`. */
  #floor = 0;
  /** Entries that end in at least `#level` zero bits. */
  #counted = 0;
  /** Position of the sweep that frees entries no longer admitted, as an index into `#slots`; past the end: no sweep. */
  #sweptTo = NOWHERE;
  #judgedPart = NEVER;
  /** Flags that are set. */
  #untold = 0;
  #toldLevel = 0;
  /** The word of flags that the next `take` begins with. */
  #cursor = 0;
  readonly #held = new HeldSessions();
  #hashLow = 0;
  #hashHigh = 0;

  /** `idleMs`: idle time, milliseconds. `seed`: a 32-bit number that clients do not know; it does not influence the count. */
  constructor(idleMs: number, seed: number) {
    this.#seed = seed;
    this.#partMs = partMs(idleMs);
  }

  /** Changes the idle time. It also applies to sessions already seen, as if seen at the end of their part or now. */
  setIdleMs(idleMs: number, nowMs: number): void {
    const newPartMs = partMs(idleMs);
    if (newPartMs === this.#partMs) return;
    const factor = this.#partMs / newPartMs;
    const part = Math.floor(nowMs / newPartMs);
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += WIDTH) {
      if (slots[at + SEEN] === NEVER) continue;
      slots[at + SEEN] = Math.min(part, Math.floor((slots[at + SEEN]! + 1) * factor) - 1);
    }
    if (this.#admitsSince !== NEVER) this.#admitsSince = Math.ceil((this.#admitsSince + 1) * factor);
    this.#partMs = newPartMs;
    this.#judgedPart = NEVER;
    this.tellAgain();
  }

  /** Records a request of session `id`. True when it is a new entry. */
  see(id: string, nowMs: number): boolean {
    this.#hash(id);
    return this.#put(this.#hashLow, this.#hashHigh, Math.floor(nowMs / this.#partMs), firstAt(nowMs), true);
  }

  /** Removes session `id`. True when it was there. */
  remove(id: string): boolean {
    this.#hash(id);
    return this.#remove(this.#hashLow, this.#hashHigh);
  }

  /** Moves the beginning of session `id` back to that in `other`, if both have it. */
  beginAsIn(other: ActiveSessions, id: string): void {
    this.#hash(id);
    this.#beginAsIn(other, this.#hashLow, this.#hashHigh);
  }

  #beginAsIn(other: ActiveSessions, low: number, high: number): void {
    const from = other.#find(low, high);
    const to = this.#find(low, high);
    if (other.#slots[from + SEEN] === NEVER || this.#slots[to + SEEN] === NEVER) return;
    this.#slots[to + FIRST] = Math.min(this.#slots[to + FIRST]!, other.#slots[from + FIRST]!);
  }

  /** Zero bits at the end of the hash that an entry needs to be counted: each entry stands for 2^level sessions. */
  get level(): number {
    return this.#level;
  }

  /** Records that session `id` is in use. Until the release it counts without requests; after that its idle time begins. */
  hold(id: string, nowMs: number): HeldSession {
    this.see(id, nowMs);
    const [low, high] = [this.#hashLow, this.#hashHigh];
    this.#held.add(low, high);
    return {
      release: (endMs) => {
        this.#held.remove(low, high);
        this.#put(low, high, Math.floor(endMs / this.#partMs), firstAt(endMs), true);
      },
    };
  }

  /** Number of sessions seen within the idle time. */
  count(nowMs: number): number {
    this.#judge(Math.floor(nowMs / this.#partMs));
    return this.#counted * 2 ** this.#level;
  }

  /**
   * Least age of the oldest session since it was first seen, milliseconds; `undefined` without sessions. It is too low for sessions
   * that another instance has seen before it sent them, and when the table is a sample.
   */
  oldestMs(nowMs: number): number | undefined {
    this.#judge(Math.floor(nowMs / this.#partMs));
    let first = Number.POSITIVE_INFINITY;
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += WIDTH)
      if (slots[at + SEEN] !== NEVER) first = Math.min(first, slots[at + FIRST]!);
    return this.#size === 0 ? undefined : Math.max(0, nowMs - first * FIRST_UNIT_MS);
  }

  // ---- counting together

  /**
   * Up to `max` entries that were not taken yet or have been seen in a newer part since; `undefined` when there is
   * nothing to report.
   */
  take(max: number, nowMs: number): SessionSample | undefined {
    const part = Math.floor(nowMs / this.#partMs);
    this.#judge(part);
    if (this.#untold === 0 && this.#level === this.#toldLevel) return undefined;
    this.#toldLevel = this.#level;
    const byAge: string[] = [];
    const slots = this.#slots;
    const flags = this.#untoldFlags;
    // At most one round over the flags.
    let words = flags.length;
    for (let left = max; left > 0 && words >= 0 && this.#untold > 0; ) {
      const word = flags[this.#cursor]!;
      if (word === 0) {
        this.#cursor = (this.#cursor + 1) % flags.length;
        words--;
        continue;
      }
      const at = (this.#cursor * WORD + endingZeros(word)) * WIDTH;
      this.#setTold(at);
      left--;
      const age = Math.max(0, part - slots[at + SEEN]!);
      byAge[age] = (byAge[age] ?? '') + digits(slots[at + LOW]!, slots[at + HIGH]!);
    }
    const seen: [number, string][] = [];
    byAge.forEach((hashes, age) => {
      seen.push([age, hashes]);
    });
    return { level: this.#level, partEndsInMs: (part + 1) * this.#partMs - nowMs, partMs: this.#partMs, seen };
  }

  /** The receiver of the entries has lost them: `take` returns all again. */
  tellAgain(): void {
    for (let at = 0; at < this.#slots.length; at += WIDTH) if (this.#slots[at + SEEN] !== NEVER) this.#setUntold(at);
  }

  /**
   * Adds a sample that another instance took; `floor` is the highest level of all merged samples. An entry counts from the
   * end of the part it was seen in, so it never expires before the entry of the other instance. Entries of `except` are left
   * out. New entries begin as in `earlier`, or when they come. `take` does not return merged entries before `tellAgain`: the instance
   * that has seen them reports them.
   */
  merge(
    sample: SessionSample,
    floor: number,
    nowMs: number,
    { except, earlier }: { readonly except?: ActiveSessions; readonly earlier?: ActiveSessions } = {},
  ): void {
    this.#floor = floor;
    this.#judge(Math.floor(nowMs / this.#partMs));
    while (this.#admits < floor || this.#level < floor) this.#coarsen();
    for (const [age, hashes] of sample.seen) {
      const seenUntilMs = nowMs + sample.partEndsInMs - age * sample.partMs;
      const part = Math.floor(seenUntilMs / this.#partMs);
      if (part < this.#judgedPart - PARTS) continue;
      const first = firstAt(Math.min(nowMs, seenUntilMs));
      for (let at = 0; at + 8 <= hashes.length; at += 8) {
        const low = number(hashes, at);
        const high = number(hashes, at + 4);
        const isExcepted = except !== undefined ? except.#has(low, high) : false;
        if (isExcepted) continue;
        if (this.#put(low, high, part, first, false) && earlier !== undefined) this.#beginAsIn(earlier, low, high);
      }
    }
  }

  /** The same for a sample that is not one of several merged regularly: the level may fall below that of the sample later. */
  adopt(sample: SessionSample, nowMs: number, others?: Parameters<ActiveSessions['merge']>[3]): void {
    this.merge(sample, sample.level, nowMs, others);
    this.#floor = 0;
  }

  /** Removes the entries of a sample. */
  drop({ seen }: SessionSample): void {
    for (const [, hashes] of seen)
      for (let at = 0; at + 8 <= hashes.length; at += 8) this.#remove(number(hashes, at), number(hashes, at + 4));
  }

  // ---- the table

  #hash(id: string): void {
    let one = FIRST_OFFSET;
    let two = SECOND_OFFSET;
    for (let i = 0; i < id.length; i++) {
      const code = id.charCodeAt(i);
      one = Math.imul(one ^ code, FNV_PRIME);
      two = Math.imul((two ^ (two >>> 15)) + code, GOLDEN_RATIO);
    }
    this.#hashLow = mixBits(one) & HASH_MASK;
    this.#hashHigh = mixBits(two ^ one) & HASH_MASK;
  }

  /** The position of a hash without collisions, as an index into `#slots`. */
  #home(low: number, high: number): number {
    const mask = this.#slots.length / WIDTH - 1;
    return (mixBits(low ^ Math.imul(high, GOLDEN_RATIO) ^ this.#seed) & mask) * WIDTH;
  }

  /** The slot of a hash, or the free one where it belongs. */
  #find(low: number, high: number): number {
    const slots = this.#slots;
    let at = this.#home(low, high);
    while (slots[at + SEEN] !== NEVER && (slots[at + LOW] !== low || slots[at + HIGH] !== high)) {
      at += WIDTH;
      if (at === slots.length) at = 0;
    }
    return at;
  }

  #has(low: number, high: number): boolean {
    return this.#slots[this.#find(low, high) + SEEN] !== NEVER;
  }

  #remove(low: number, high: number): boolean {
    const at = this.#find(low, high);
    if (this.#slots[at + SEEN] === NEVER) return false;
    this.#free(at);
    return true;
  }

  #put(low: number, high: number, part: number, first: number, isUntold: boolean): boolean {
    if ((low & ((1 << this.#admits) - 1)) !== 0) return false;
    const slots = this.#slots;
    const at = this.#find(low, high);
    const before = slots[at + SEEN]!;
    if (before >= part) return false;
    slots[at + SEEN] = part;
    if (isUntold) this.#setUntold(at);
    if (before !== NEVER) return false;
    slots[at + LOW] = low;
    slots[at + HIGH] = high;
    slots[at + FIRST] = first;
    this.#size++;
    const zeros = zerosOf(low);
    this.#byZeros[zeros]!++;
    if (zeros >= this.#level) this.#counted++;
    if (this.#sweptTo < slots.length) this.#sweep(NEVER, this.#sweptTo + SWEPT_AT_ONCE * WIDTH);
    // A merged entry may be of a part that is over, or of the next one.
    else if (this.#size > MAX_SAMPLE) this.#makeRoom(isUntold ? part : this.#judgedPart);
    else if (2 * WIDTH * this.#size > slots.length) this.#resize((2 * slots.length) / WIDTH);
    return true;
  }

  /** Drops expired entries first, then half of the ids at a time. */
  #makeRoom(part: number): void {
    this.#judge(part);
    while (this.#entries(this.#admits) > MAX_SAMPLE && this.#admits < MAX_LEVEL) this.#coarsen();
  }

  /** Entries that are no longer admitted do not count from now on. New entries free them gradually. */
  #coarsen(): void {
    this.#admits++;
    this.#level = Math.max(this.#level, this.#admits);
    this.#counted = this.#entries(this.#level);
    this.#sweptTo = 0;
  }

  /** Number of entries whose hash ends in at least `zeros` zero bits. */
  #entries(zeros: number): number {
    let sum = 0;
    for (let i = zeros; i <= HASH_HALF_BITS; i++) sum += this.#byZeros[i]!;
    return sum;
  }

  /** Once per part: renews held sessions, drops expired entries and checks whether the sample may become finer. */
  #judge(part: number): void {
    if (part === this.#judgedPart) return;
    this.#judgedPart = part;
    const first = firstAt(part * this.#partMs);
    this.#held.forEach((low, high) => {
      this.#put(low, high, part, first, true);
    });
    this.#sweptTo = 0;
    this.#sweep(part - PARTS, this.#slots.length);
    const capacity = this.#slots.length / WIDTH;
    if (capacity > FIRST_CAPACITY && SPARSE * this.#size < capacity) this.#resize(capacityFor(this.#size));
    if (this.#level === this.#floor) return;
    if (this.#size === 0) {
      this.#admits = this.#floor;
      this.#refine();
    } else if (this.#admits < this.#level) {
      if (part - this.#admitsSince > PARTS) this.#refine();
    } else if (this.#counted < MAX_SAMPLE / 8) {
      this.#admitsSince = part;
      for (let size = this.#counted; this.#admits > this.#floor && 2 * size <= MAX_SAMPLE / 2; size *= 2)
        this.#admits--;
    }
  }

  #refine(): void {
    this.#level = this.#admits;
    this.#counted = this.#entries(this.#level);
  }

  /**
   * Continues to index `end` and frees slots of entries that are not admitted or were last seen before part `oldest`. In
   * place: allocates nothing. One visit per slot is enough: new entries are admitted ones, and entries that move up move to
   * the position of the sweep.
   */
  #sweep(oldest: number, end: number): void {
    const slots = this.#slots;
    const mask = (1 << this.#admits) - 1;
    const until = Math.min(end, slots.length);
    for (let at = this.#sweptTo; at < until; at += WIDTH) {
      // An entry that moves up into the freed slot is checked as well.
      while (slots[at + SEEN] !== NEVER && (slots[at + SEEN]! < oldest || (slots[at + LOW]! & mask) !== 0))
        this.#free(at);
    }
    this.#sweptTo = until < slots.length ? until : NOWHERE;
  }

  /** Frees a slot, and moves up entries behind it that a search would not find any more. @see Knuth, volume 3, §6.4 R */
  #free(freed: number): void {
    const slots = this.#slots;
    const { length } = slots;
    this.#size--;
    this.#setTold(freed);
    const zeros = zerosOf(slots[freed + LOW]!);
    this.#byZeros[zeros]!--;
    if (zeros >= this.#level) this.#counted--;
    let gap = freed;
    for (let at = (gap + WIDTH) % length; slots[at + SEEN] !== NEVER; at = (at + WIDTH) % length) {
      const home = this.#home(slots[at + LOW]!, slots[at + HIGH]!);
      const isReachable = gap < at ? gap < home && home <= at : gap < home || home <= at;
      if (isReachable) continue;
      slots.copyWithin(gap, at, at + WIDTH);
      if (this.#isUntold(at)) {
        this.#setTold(at);
        this.#setUntold(gap);
      }
      gap = at;
    }
    slots[gap + SEEN] = NEVER;
  }

  /** Moves the entries into a table of another size; no sweep may be in progress. */
  #resize(capacity: number): void {
    const before = this.#slots;
    const flagsBefore = this.#untoldFlags;
    this.#slots = freeSlots(capacity);
    this.#untoldFlags = new Int32Array(wordsFor(capacity));
    this.#untold = 0;
    this.#cursor = 0;
    for (let from = 0; from < before.length; from += WIDTH) {
      if (before[from + SEEN] === NEVER) continue;
      const to = this.#find(before[from + LOW]!, before[from + HIGH]!);
      for (let i = 0; i < WIDTH; i++) this.#slots[to + i] = before[from + i]!;
      if (isSet(flagsBefore, from)) this.#setUntold(to);
    }
  }

  #isUntold(at: number): boolean {
    return isSet(this.#untoldFlags, at);
  }

  #setUntold(at: number): void {
    if (this.#isUntold(at)) return;
    this.#untoldFlags[wordOf(at)]! |= flagOf(at);
    this.#untold++;
  }

  #setTold(at: number): void {
    if (!this.#isUntold(at)) return;
    this.#untoldFlags[wordOf(at)]! &= ~flagOf(at);
    this.#untold--;
  }
}

function freeSlots(capacity: number): Int32Array {
  const slots = new Int32Array(capacity * WIDTH);
  for (let at = SEEN; at < slots.length; at += WIDTH) slots[at] = NEVER;
  return slots;
}

function capacityFor(size: number): number {
  let capacity = FIRST_CAPACITY;
  while (capacity < 2 * size) capacity *= 2;
  return capacity;
}

/** Number of words for the flags of `capacity` slots. Rounded up: the smallest table has fewer slots than a word has flags. */
function wordsFor(capacity: number): number {
  return Math.ceil(capacity / WORD);
}

/** Index of the word with the flag of the slot at index `at`. */
function wordOf(at: number): number {
  return at >>> (WIDTH_BITS + WORD_BITS);
}

function flagOf(at: number): number {
  return 1 << (at >>> WIDTH_BITS);
}

function isSet(flags: Int32Array, at: number): boolean {
  return (flags[wordOf(at)]! & flagOf(at)) !== 0;
}

/** Zero bits at the end of a half of a hash. */
function zerosOf(half: number): number {
  return half === 0 ? HASH_HALF_BITS : endingZeros(half);
}

/** Zero bits at the end of a 32-bit number that is not 0. */
function endingZeros(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** Rounded up, so that an age is never too high. */
function firstAt(ms: number): number {
  return Math.ceil(ms / FIRST_UNIT_MS);
}

function partMs(idleMs: number): number {
  return Math.max(MIN_PART_MS, idleMs / PARTS);
}

/** Two 24-bit halves as eight characters. */
function digits(low: number, high: number): string {
  return String.fromCharCode(
    DIGITS[low >>> 18]!,
    DIGITS[(low >>> 12) & 63]!,
    DIGITS[(low >>> 6) & 63]!,
    DIGITS[low & 63]!,
    DIGITS[high >>> 18]!,
    DIGITS[(high >>> 12) & 63]!,
    DIGITS[(high >>> 6) & 63]!,
    DIGITS[high & 63]!,
  );
}

function number(text: string, at: number): number {
  return (digit(text, at) << 18) | (digit(text, at + 1) << 12) | (digit(text, at + 2) << 6) | digit(text, at + 3);
}

function digit(text: string, at: number): number {
  return DIGIT_VALUES[text.charCodeAt(at) & 127]!;
}

function digitValues(): Uint8Array {
  const values = new Uint8Array(128);
  for (let value = 0; value < DIGITS.length; value++) values[DIGITS[value]!] = value;
  return values;
}
