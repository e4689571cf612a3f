/**
 * The corpus of HTTP cases as typed values. `cases.json` describes its own format; strings are octets, one character each.
 */
import { readFileSync } from 'node:fs';

/** One step of the octets that a side sends. */
export type Part =
  | { readonly type: 'octets'; readonly octets: string }
  | { readonly type: 'dribble'; readonly octets: string; readonly gapMs: number }
  | { readonly type: 'drip'; readonly octets: string; readonly everyMs: number; readonly totalMs: number }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'wait-100'; readonly ms: number }
  | { readonly type: 'wait-final'; readonly ms: number }
  | { readonly type: 'fin' }
  | { readonly type: 'rst' };

export type Bag = Readonly<Record<string, unknown>>;

interface CaseOfEither {
  readonly id: string;
  readonly grade: string;
  readonly name: string;
  readonly verdict: string;
  /** The expectations, by the keys that `cases.json` explains. */
  readonly expect: Bag;
  /** Failure codes that the gate forgives. */
  readonly tolerated: readonly string[];
  readonly isTimed: boolean;
  /** Further properties of some cases. */
  readonly more: Bag;
}

export interface RequestCase extends CaseOfEither {
  readonly kind: 'request';
  readonly send: readonly Part[];
}

export interface ResponseCase extends CaseOfEither {
  readonly kind: 'response';
  readonly request: readonly Part[];
  readonly answer: readonly Part[];
  /** What the node does after its answer: `keep`, `fin`, `rst` or `hold`. */
  readonly afterwards: string;
  readonly answersAtHead: boolean;
}

export type HttpCase = RequestCase | ResponseCase;

/** The cases of the corpus that is not ours, in order. Throws on what does not fit the format. */
export function httpCases(): readonly HttpCase[] {
  return casesOf('cases.json');
}

/** The cases of the corpus and `own-cases.json`. */
export function allCases(): readonly HttpCase[] {
  return [...httpCases(), ...casesOf('own-cases.json')];
}

function casesOf(name: string): readonly HttpCase[] {
  const file = bag(JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')), 'file');
  if (file['format'] !== 'http-cases/1' || !Array.isArray(file['cases'])) throw new Error('not a corpus of HTTP cases');
  return file['cases'].map((one) => httpCase(bag(one, 'case')));
}

function httpCase(one: Bag): HttpCase {
  const either: CaseOfEither = {
    id: text(one, 'id'),
    grade: text(one, 'grade'),
    name: text(one, 'name'),
    verdict: text(bag(one['expect'], 'expect'), 'verdict'),
    expect: bag(one['expect'], 'expect'),
    tolerated: texts(one, 'tolerated') ?? [],
    isTimed: one['timed'] !== undefined,
    more: one,
  };
  if (one['kind'] === 'request') return { ...either, kind: 'request', send: parts(one['send']) };
  const upstream = bag(one['upstream'], 'upstream');
  return {
    ...either,
    kind: 'response',
    request: parts(one['request']),
    answer: parts(upstream['send']),
    afterwards: text(upstream, 'then'),
    answersAtHead: upstream['after_head'] === true,
  };
}

function parts(value: unknown): readonly Part[] {
  return (Array.isArray(value) ? value : [value]).map(part);
}

function part(value: unknown): Part {
  if (typeof value === 'string') return { type: 'octets', octets: fill(value) };
  const one = bag(value, 'part');
  if ('repeat' in one) return { type: 'octets', octets: fill(text(one, 'repeat').repeat(number(one, 'times'))) };
  if ('dribble' in one) return { type: 'dribble', octets: text(one, 'dribble'), gapMs: number(one, 'gap_ms') };
  if ('drip' in one)
    return {
      type: 'drip',
      octets: text(one, 'drip'),
      everyMs: number(one, 'every_ms'),
      totalMs: number(one, 'total_ms'),
    };
  if ('wait_ms' in one) return { type: 'wait', ms: number(one, 'wait_ms') };
  if ('wait_100_ms' in one) return { type: 'wait-100', ms: number(one, 'wait_100_ms') };
  if ('wait_final_ms' in one) return { type: 'wait-final', ms: number(one, 'wait_final_ms') };
  if ('fin' in one) return { type: 'fin' };
  if ('rst' in one) return { type: 'rst' };
  throw new Error(`unknown part ${JSON.stringify(one)}`);
}

/** The lanes know one node and keep no sessions: any cookie is like any other to them. */
function fill(octets: string): string {
  return octets.replaceAll('__STICKY__', 'rc_route').replaceAll('__ROUTE__', 'node1');
}

/** `value` as an object; throws what it is called otherwise. */
export function bag(value: unknown, called: string): Bag {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${called} is not an object`);
  return value as Bag;
}

/** An object under `key`; empty when there is none. */
export function inner(one: Bag, key: string): Bag {
  return one[key] === undefined ? {} : bag(one[key], key);
}

export function text(one: Bag, key: string): string {
  const value = one[key];
  if (typeof value !== 'string') throw new Error(`${key} is not a text`);
  return value;
}

/** A text that may be missing. */
export function maybe(one: Bag, key: string): string | undefined {
  return one[key] === undefined ? undefined : text(one, key);
}

export function number(one: Bag, key: string): number {
  const value = one[key];
  if (typeof value !== 'number') throw new Error(`${key} is not a number`);
  return value;
}

/** A list of texts that may be missing. */
export function texts(one: Bag, key: string): readonly string[] | undefined {
  const value = one[key];
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new Error(`${key} is not a list`);
  return value.map(String);
}

/** A list of numbers that may be missing. */
export function numbers(one: Bag, key: string): readonly number[] | undefined {
  return texts(one, key)?.map(Number);
}
