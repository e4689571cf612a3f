/**
 * Reads the fields of one untrusted JSON object. The first fault is kept in a `FaultBox`, so a decoder is a plain list of
 * fields with one check at the end. Readers do not throw or recurse, and results contain no reference to the input.
 */
import type { ErrorCode, Fault } from './error-codes.ts';

/** Decoding error as a value. */
export interface Malformed extends Fault {
  readonly type: 'malformed';
}

export function malformed(code: ErrorCode, message: string): Malformed {
  return { type: 'malformed', code, message };
}

const FORBIDDEN_KEYS = ['__proto__', 'constructor', 'prototype'] as const;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** First fault of all readers of one message. */
export class FaultBox {
  fault: Malformed | undefined;

  set(code: ErrorCode, message: string): void {
    this.fault ??= malformed(code, message);
  }
}

/** Inclusive bounds of a number. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Bounds of counts: 0 to the largest integer that a double represents exactly. */
export const COUNT: Range = { min: 0, max: Number.MAX_SAFE_INTEGER };
/** 0 … one day, in milliseconds. */
export const DAY_MS: Range = { min: 0, max: 86_400_000 };

/** Parses `text` as one JSON object of at most `maxChars` characters. Returns its fields with a new `FaultBox`, or the fault. */
export function readFields(text: string, maxChars: number): { fields: Fields; type: unknown } | Malformed {
  if (text.length > maxChars) return malformed('frame-too-big', `${text.length} characters are more than ${maxChars}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed('bad-message', 'not JSON');
  }
  if (!isObject(value)) return malformed('bad-message', 'not a JSON object');
  return { fields: new Fields(value, '', new FaultBox()), type: value['type'] };
}

export class Fields {
  readonly #object: Record<string, unknown>;
  readonly #where: string;
  readonly #box: FaultBox;

  /** `where` is put before field names in messages, e.g. `node.`. */
  constructor(object: Record<string, unknown>, where: string, box: FaultBox) {
    this.#object = object;
    this.#where = where;
    this.#box = box;
    for (const key of FORBIDDEN_KEYS)
      if (Object.hasOwn(object, key)) box.set('bad-field', `${where}${key} is not allowed as a key`);
  }

  get fault(): Malformed | undefined {
    return this.#box.fault;
  }

  /** True when the field is present and not null. */
  has(name: string): boolean {
    return Object.hasOwn(this.#object, name) && this.#object[name] !== undefined && this.#object[name] !== null;
  }

  #read(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? undefined) : undefined;
  }

  fail(name: string, problem: string, code: ErrorCode = 'bad-field'): undefined {
    this.#box.set(code, `${this.#where}${name} ${problem}`);
    return undefined;
  }

  missing(name: string): undefined {
    return this.fail(name, 'is missing', 'missing-field');
  }

  /** Text of at most `maxLength` characters without control characters. */
  text(name: string, maxLength: number): string | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.fail(name, 'is not text');
    if (value.length > maxLength)
      return this.fail(name, `has ${value.length} characters, at most ${maxLength} are allowed`);
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) return this.fail(name, 'has a control character');
    }
    return value;
  }

  /** A finite number within `range`. JSON has no NaN, but it has `1e999`, which is refused here. */
  number(name: string, range: Range): number | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number') return this.fail(name, 'is not a number');
    if (!Number.isFinite(value)) return this.fail(name, 'is not a finite number');
    if (value < range.min || value > range.max)
      return this.fail(name, `is ${value}, not within ${range.min} to ${range.max}`);
    return value === 0 ? 0 : value;
  }

  /** A whole number within `range`. */
  integer(name: string, range: Range): number | undefined {
    const value = this.number(name, range);
    return value === undefined || Number.isInteger(value) ? value : this.fail(name, 'is not a whole number');
  }

  /** A whole number within `range`, or `word`. */
  integerOr<const Word extends string>(name: string, range: Range, word: Word): number | Word | undefined {
    return this.#read(name) === word ? word : this.integer(name, range);
  }

  boolean(name: string): boolean | undefined {
    const value = this.#read(name);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(name, 'is not true or false');
  }

  oneOf<const Value extends string>(name: string, allowed: readonly Value[]): Value | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    for (const one of allowed) if (one === value) return one;
    return this.fail(name, `is not one of ${allowed.join(', ')}`);
  }

  /** Result of `parse` for a text. `what` ends the error sentence "… is not WHAT". */
  parsed<Value>(
    name: string,
    parse: (text: string) => Value | undefined,
    what: string,
    code: ErrorCode = 'bad-field',
  ): Value | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.fail(name, 'is not text');
    return parse(value) ?? this.fail(name, `is not ${what}`, code);
  }

  object(name: string): Fields | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) return this.fail(name, 'is not an object');
    return new Fields(value, `${this.#where}${name}.`, this.#box);
  }

  /** List of at most `maxItems` results of `item`. It reports a fault through its own reader and then returns `undefined`. */
  list<Value>(
    name: string,
    maxItems: number,
    item: (value: unknown, label: string) => Value | undefined,
  ): Value[] | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.fail(name, 'is not a list');
    if (value.length > maxItems) return this.fail(name, `has ${value.length} items, at most ${maxItems} are allowed`);
    const items: Value[] = [];
    for (let i = 0; i < value.length && this.#box.fault === undefined; i++) {
      const label = `${name}[${i}]`;
      const made = item(value[i], label);
      if (made === undefined) this.fail(label, 'is not understood');
      else items.push(made);
    }
    return items;
  }

  /** List of texts, as results of `parse`. */
  texts<Value>(
    name: string,
    maxItems: number,
    parse: (text: string) => Value | undefined,
    what: string,
  ): Value[] | undefined {
    return this.list(name, maxItems, (value, label) => {
      const made = typeof value === 'string' ? parse(value) : undefined;
      return made ?? this.fail(label, `is not ${what}`);
    });
  }

  /** List of objects, as results of `read`. */
  objects<Value>(name: string, maxItems: number, read: (fields: Fields) => Value | undefined): Value[] | undefined {
    return this.list(name, maxItems, (value, label) => {
      if (!isObject(value)) return this.fail(label, 'is not an object');
      return read(new Fields(value, `${this.#where}${label}.`, this.#box));
    });
  }

  /** A map with at most `maxEntries` entries whose keys `isKey` accepts. The result has no prototype. */
  map<Value>(
    name: string,
    maxEntries: number,
    isKey: (key: string) => boolean,
    read: (fields: Fields, key: string) => Value | undefined,
  ): Record<string, Value> | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) return this.fail(name, 'is not an object');
    const keys = Object.keys(value);
    if (keys.length > maxEntries)
      return this.fail(name, `has ${keys.length} entries, at most ${maxEntries} are allowed`);
    const fields = new Fields(value, `${this.#where}${name}.`, this.#box);
    const map: Record<string, Value> = Object.create(null);
    for (const key of keys) {
      if (!isKey(key)) return this.fail(name, 'has a key that is not [A-Za-z0-9_-]{1,64}');
      const made = read(fields, key);
      if (made !== undefined) map[key] = made;
    }
    return map;
  }
}
