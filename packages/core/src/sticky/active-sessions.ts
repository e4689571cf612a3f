/**
 * Distinct sessions of one node seen within the idle time, countable by many and merged by one.
 *
 * Kept is a table of 48-bit hashes of session ids with the part of the idle time each was last seen in. Up to 32,768
 * sessions every one is in it; beyond, those whose hash ends in `level` zero bits, and each stands for 2^level. All
 * who count use the same hash, so a session seen by two workers is one entry of the merged table. The sample holds at
 * least 16,384 sessions, which is a standard error of at most 0.8 %: within 2 % for 99 of 100 populations.
 *
 * When a crowd has gone, finer hashes are let in again, and counted once every session that is active must have been
 * seen since: one idle time later.
 *
 * The table is open addressing in typed arrays: a request of a known session allocates nothing.
 *
 * @see Flajolet, "On adaptive sampling", Computing 43 (1990); the first half of the hash is
 *   FNV-1a, the second a multiplicative hash, both finished by `mixBits`.
 */
import type { SessionSample } from '@rollcall/protocol';
import { mixBits } from './text-hash.ts';

/** Up to this many sessions are counted exactly; beyond it a sample of the ids stands for all. */
const MAX_SAMPLE = 32_768;
/** Parts of the idle time: a session counts for up to one part longer than it was active, merged for up to two. */
const PARTS = 16;
/** Shortest part, milliseconds: numbers of parts stay within 31 bits. */
const MIN_PART_MS = 10;
const HASH_HALF_BITS = 24;
const HASH_MASK = 0xff_ffff;
const FIRST_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const SECOND_OFFSET = 0x6a09e667;
/** 2^32 divided by the golden ratio, made odd (Knuth, volume 3, §6.4). */
const GOLDEN_RATIO = 0x9e3779b1;
const MAX_LEVEL = HASH_HALF_BITS;
const FIRST_CAPACITY = 16;
/** Slots that each new entry looks at while a sample becomes coarser: nobody waits until tens of thousands were. */
const SWEPT_AT_ONCE = 16;
/** Flags in one number, and the bits that their place in it takes. */
const WORD_BITS = 5;
const WORD = 1 << WORD_BITS;
/** A table with more slots than this for each entry is made smaller. */
const SPARSE = 16;
/** In place of the number of a part. */
const NEVER = -0x8000_0000;
/** In place of an index: more than any, and an integer as they are, for which engines have quicker code. */
const NOWHERE = 0x3fff_ffff;
/** What a slot holds: two halves of the hash, and two parts of the idle time. */
const WIDTH_BITS = 2;
const WIDTH = 1 << WIDTH_BITS;
const LOW = 0;
const HIGH = 1;
/** Last seen in; `NEVER` for a free slot. */
const SEEN = 2;
/** First seen in, without a pause longer than the idle time. */
const FIRST = 3;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const DIGITS: Uint8Array = Uint8Array.from(ALPHABET, (digit) => digit.charCodeAt(0));
const DIGIT_VALUES: Uint8Array = digitValues();

export class ActiveSessions {
  /** Where in the table a hash stands is nobody's business: a client could choose ids that stand in each other's way. */
  readonly #seed: number;
  /** `WIDTH` numbers a slot, side by side, so that a look at a slot is one look into memory. See `LOW` … `FIRST`. */
  #slots: Int32Array = freeSlots(FIRST_CAPACITY);
  /** A flag for each slot: its entry was not taken since it was put in, or seen in a newer part. */
  #untoldFlags = new Int32Array(wordsFor(FIRST_CAPACITY));
  #size = 0;
  #partMs: number;
  /** Entries by the zero bits that their hash ends in. */
  readonly #byZeros = new Int32Array(HASH_HALF_BITS + 1);
  /** Counted are entries whose hash ends in so many zero bits. */
  #level = 0;
  /** Let in are those that end in so many; fewer than `#level` while the sample becomes finer. */
  #admits = 0;
  #admitsSince = NEVER;
  /** Others who count are no finer than this. */
  #floor = 0;
  /** Entries that end in `#level` zero bits. */
  #counted = 0;
  /** Where the sweep is that frees what is no longer admitted, as an index into `#slots`; past the end: nowhere. */
  #sweptTo = NOWHERE;
  #judgedPart = NEVER;
  /** Flags that are set. */
  #untold = 0;
  #toldLevel = 0;
  /** The word of flags that the next `take` begins with. */
  #cursor = 0;
  #hashLow = 0;
  #hashHigh = 0;

  /** `seed` is a 32-bit number that clients do not know. It has no influence on what is counted. */
  constructor(idleMs: number, seed: number) {
    this.#seed = seed;
    this.#partMs = partMs(idleMs);
  }

  /** Another idle time; sessions already seen are judged by it from now on, as if seen at the end of their part or now. */
  setIdleMs(idleMs: number, nowMs: number): void {
    const newPartMs = partMs(idleMs);
    if (newPartMs === this.#partMs) return;
    const factor = this.#partMs / newPartMs;
    const part = Math.floor(nowMs / newPartMs);
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += WIDTH) {
      if (slots[at + SEEN] === NEVER) continue;
      slots[at + SEEN] = Math.min(part, Math.floor((slots[at + SEEN]! + 1) * factor) - 1);
      slots[at + FIRST] = Math.floor(slots[at + FIRST]! * factor);
    }
    if (this.#admitsSince !== NEVER) this.#admitsSince = Math.ceil((this.#admitsSince + 1) * factor);
    this.#partMs = newPartMs;
    this.#judgedPart = NEVER;
    this.tellAgain();
  }

  /** A request of session `id`. True when it is a new entry. */
  see(id: string, nowMs: number): boolean {
    this.#hash(id);
    const part = Math.floor(nowMs / this.#partMs);
    return this.#put(this.#hashLow, this.#hashHigh, part, part);
  }

  /** Sessions seen within the idle time. */
  count(nowMs: number): number {
    this.#judge(Math.floor(nowMs / this.#partMs));
    return this.#counted * 2 ** this.#level;
  }

  /** How long ago the session that has been here longest was first seen, milliseconds; `undefined` without sessions. */
  oldestMs(nowMs: number): number | undefined {
    this.#judge(Math.floor(nowMs / this.#partMs));
    let first = Number.POSITIVE_INFINITY;
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += WIDTH)
      if (slots[at + SEEN] !== NEVER) first = Math.min(first, slots[at + FIRST]!);
    return this.#size === 0 ? undefined : Math.max(0, nowMs - first * this.#partMs);
  }

  // ---- counting together

  /**
   * Up to `max` entries that were not taken yet or have been seen in a newer part since; `undefined` when there is
   * nothing to tell.
   */
  take(max: number, nowMs: number): SessionSample | undefined {
    const part = Math.floor(nowMs / this.#partMs);
    this.#judge(part);
    if (this.#untold === 0 && this.#level === this.#toldLevel) return undefined;
    this.#toldLevel = this.#level;
    const byAge: string[] = [];
    const slots = this.#slots;
    const flags = this.#untoldFlags;
    // Once around at most.
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

  /** Whoever took entries has lost them: `take` gives all again. */
  tellAgain(): void {
    for (let at = 0; at < this.#slots.length; at += WIDTH) if (this.#slots[at + SEEN] !== NEVER) this.#setUntold(at);
  }

  /**
   * Adds what another has taken; `floor` is the highest level among all whose samples are merged. An entry counts
   * from the end of the part it was seen in, so it never ends before the other's own would.
   */
  merge(sample: SessionSample, floor: number, nowMs: number): void {
    this.#floor = floor;
    this.#judge(Math.floor(nowMs / this.#partMs));
    while (this.#admits < floor || this.#level < floor) this.#coarsen();
    for (const [age, hashes] of sample.seen) {
      const seenUntilMs = nowMs + sample.partEndsInMs - age * sample.partMs;
      const part = Math.floor(seenUntilMs / this.#partMs);
      if (part < this.#judgedPart - PARTS) continue;
      for (let at = 0; at + 8 <= hashes.length; at += 8)
        this.#put(number(hashes, at), number(hashes, at + 4), part, Math.min(part, this.#judgedPart));
    }
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

  /** Where a hash would stand if it were alone, as an index into `#slots`. */
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

  #put(low: number, high: number, part: number, first: number): boolean {
    if ((low & ((1 << this.#admits) - 1)) !== 0) return false;
    const slots = this.#slots;
    const at = this.#find(low, high);
    const before = slots[at + SEEN]!;
    if (before >= part) return false;
    slots[at + SEEN] = part;
    this.#setUntold(at);
    if (before !== NEVER) return false;
    slots[at + LOW] = low;
    slots[at + HIGH] = high;
    slots[at + FIRST] = first;
    this.#size++;
    const zeros = zerosOf(low);
    this.#byZeros[zeros]!++;
    if (zeros >= this.#level) this.#counted++;
    if (this.#sweptTo < slots.length) this.#sweep(NEVER, this.#sweptTo + SWEPT_AT_ONCE * WIDTH);
    else if (this.#size > MAX_SAMPLE) this.#makeRoom(first);
    else if (2 * WIDTH * this.#size > slots.length) this.#resize((2 * slots.length) / WIDTH);
    return true;
  }

  /** First the expired go, then half of the ids at a time. */
  #makeRoom(part: number): void {
    this.#judge(part);
    while (this.#entries(this.#admits) > MAX_SAMPLE && this.#admits < MAX_LEVEL) this.#coarsen();
  }

  /** What is not admitted any more does not count from now on, and is freed as others come. */
  #coarsen(): void {
    this.#admits++;
    this.#level = Math.max(this.#level, this.#admits);
    this.#counted = this.#entries(this.#level);
    this.#sweptTo = 0;
  }

  /** How many end in at least so many zero bits. */
  #entries(zeros: number): number {
    let sum = 0;
    for (let i = zeros; i <= HASH_HALF_BITS; i++) sum += this.#byZeros[i]!;
    return sum;
  }

  /** Once per part: drops the expired and looks whether the sample may become finer. */
  #judge(part: number): void {
    if (part === this.#judgedPart) return;
    this.#judgedPart = part;
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
   * Goes on to index `end` and frees slots of what is not admitted or was last seen before part `oldest`. In place:
   * nothing is allocated. A slot that was looked at needs no second look: none that is not admitted comes in any more,
   * and what moves up moves to where the sweep is.
   */
  #sweep(oldest: number, end: number): void {
    const slots = this.#slots;
    const mask = (1 << this.#admits) - 1;
    const until = Math.min(end, slots.length);
    for (let at = this.#sweptTo; at < until; at += WIDTH) {
      // What moves up into a slot that was freed is looked at as well.
      while (slots[at + SEEN] !== NEVER && (slots[at + SEEN]! < oldest || (slots[at + LOW]! & mask) !== 0))
        this.#free(at);
    }
    this.#sweptTo = until < slots.length ? until : NOWHERE;
  }

  /** Frees a slot, and moves up those behind it that can no longer be found otherwise. @see Knuth, volume 3, §6.4 R */
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

  /** The same entries in a table of another size; no sweep may be under way. */
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

/** How many words hold the flags of so many slots; the least table has fewer slots than a word has flags. */
function wordsFor(capacity: number): number {
  return Math.ceil(capacity / WORD);
}

/** Where the flag of the slot at index `at` is. */
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

/** Zero bits at the end of 32 of which at least one is set. */
function endingZeros(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function partMs(idleMs: number): number {
  return Math.max(MIN_PART_MS, idleMs / PARTS);
}

/** Twice 24 bits in eight characters. */
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
