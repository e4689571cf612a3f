/**
 * Time limits that can be set for the whole proxy, for a balancer, and for a path within a balancer: names, range and check.
 * They are in this package because flags, settings file, admin API, store and feed use the same check.
 */
import { type Fields, isObject, type Range } from './fields.ts';
import { type ContextPath, MAX_PATH_LENGTH, parseContextPath } from './ids.ts';

/** Milliseconds, or `none` for no limit. */
export type TimeLimit = number | 'none';

export interface TimeLimitRule {
  /** Name in flags, commands and messages. */
  readonly name: string;
  /** Reason why `none` is refused; absent where `none` is allowed. */
  readonly neverNone?: string;
}

/** Key of a limit in the admin API. */
export type TimeLimitKey =
  | 'upstreamTimeoutMs'
  | 'upstreamIdleMs'
  | 'eventStreamIdleMs'
  | 'tunnelIdleMs'
  | 'bodyTimeoutMs';

export const TIME_LIMITS: Readonly<Record<TimeLimitKey, TimeLimitRule>> = {
  upstreamTimeoutMs: { name: 'upstream-timeout' },
  upstreamIdleMs: { name: 'upstream-idle' },
  eventStreamIdleMs: { name: 'event-stream-idle' },
  tunnelIdleMs: { name: 'tunnel-idle' },
  bodyTimeoutMs: {
    name: 'body-timeout',
    neverNone: 'a client that sends nothing would hold a connection and a place at a node without end',
  },
};

export const TIME_LIMIT_KEYS: readonly TimeLimitKey[] = Object.keys(TIME_LIMITS) as TimeLimitKey[];

/** Range of a limit, milliseconds. */
export const TIME_LIMIT_RANGE: Range = { min: 1, max: 86_400_000 };

/** Most paths with limits of one balancer. A stored record has room for as many of the greatest length. */
export const MAX_LIMIT_PATHS = 32;

/** Limits that are set; an absent one is inherited. */
export type TimeLimits = { readonly [Key in TimeLimitKey]?: TimeLimit };

/** Limits of a balancer, and of path prefixes within it. The longest prefix of a request path wins, as with contexts. */
export interface BalancerLimits extends TimeLimits {
  readonly paths?: Readonly<Record<string, TimeLimits>>;
}

type Removable<Value> = { readonly [Key in keyof Value]?: Value[Key] | null };

/** A change of limits; `null` removes a limit, or all limits of a path. */
export interface LimitsPatch extends Removable<TimeLimits> {
  readonly paths?: Readonly<Record<string, Removable<TimeLimits> | null>>;
}

/** The key of a limit with this name. */
export function timeLimitKey(name: string): TimeLimitKey | undefined {
  return TIME_LIMIT_KEYS.find((key) => TIME_LIMITS[key].name === name);
}

/** What is wrong with the value of a limit, with the valid values; `undefined` if nothing is. */
export function timeLimitFault(key: TimeLimitKey, value: unknown): string | undefined {
  const rule = TIME_LIMITS[key];
  if (value === 'none')
    return rule.neverNone === undefined ? undefined : `${rule.name} cannot be none: ${rule.neverNone}`;
  const { min, max } = TIME_LIMIT_RANGE;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return undefined;
  const shown = typeof value === 'number' ? `${value} ms` : JSON.stringify(value)?.slice(0, 64);
  const none = rule.neverNone === undefined ? ', or none for no limit' : '';
  return `${rule.name} is ${shown}: it must be from 1ms to 24h, in whole milliseconds${none}`;
}

/** What is wrong with a path of limits; `undefined` if nothing is. */
export function limitPathFault(path: string): string | undefined {
  if (parseContextPath(path) !== undefined) return undefined;
  const shown = JSON.stringify(path.slice(0, 64));
  if (path.length > MAX_PATH_LENGTH)
    return `the path ${shown}… has ${path.length} characters, at most ${MAX_PATH_LENGTH} are possible`;
  return `${shown} is not a path like /export: it starts with / and has no / at its end, no empty segment, and no ?, #, ; or %`;
}

/** What is wrong with a change of limits; `undefined` if nothing is. */
export function limitsFault(patch: LimitsPatch): string | undefined {
  const { paths = {}, ...own } = patch;
  const count = Object.keys(paths).length;
  if (count > MAX_LIMIT_PATHS) return tooManyPaths(count);
  let fault = ownFault(own, '');
  for (const [path, limits] of Object.entries(paths)) {
    fault ??= limitPathFault(path);
    if (limits !== null) fault ??= ownFault(limits, `${path}: `);
  }
  return fault;
}

export function tooManyPaths(count: number): string {
  return `a balancer can have limits for ${MAX_LIMIT_PATHS} paths, and these are ${count}`;
}

function ownFault(limits: unknown, at: string): string | undefined {
  if (!isObject(limits)) return `${at}not an object of limits`;
  for (const [key, value] of Object.entries(limits)) {
    const known = TIME_LIMIT_KEYS.find((one) => one === key);
    if (known === undefined)
      return `${at}${JSON.stringify(key.slice(0, 64))} is not a limit; there are ${TIME_LIMIT_KEYS.join(', ')}`;
    const fault = value === null ? undefined : timeLimitFault(known, value);
    if (fault !== undefined) return at + fault;
  }
  return undefined;
}

/** Reads the limits of a balancer from a record or message. */
export function readBalancerLimits(fields: Fields): BalancerLimits {
  const paths = fields.map('paths', MAX_LIMIT_PATHS, isPath, (entries, path) => {
    const limits = entries.object(path);
    return limits && readTimeLimits(limits);
  });
  return { ...readTimeLimits(fields), ...(paths && Object.keys(paths).length > 0 && { paths: { ...paths } }) };
}

function readTimeLimits(fields: Fields): TimeLimits {
  const limits: { [Key in TimeLimitKey]?: TimeLimit } = {};
  for (const key of TIME_LIMIT_KEYS) {
    const { neverNone } = TIME_LIMITS[key];
    const value =
      neverNone === undefined ? fields.integerOr(key, TIME_LIMIT_RANGE, 'none') : fields.integer(key, TIME_LIMIT_RANGE);
    if (value !== undefined) limits[key] = value;
  }
  return limits;
}

function isPath(text: string): text is ContextPath {
  return parseContextPath(text) !== undefined;
}
