/**
 * Text form of the time limits of balancers and paths: `shop:upstream-timeout=2m` and `shop/export:upstream-timeout=10m` in
 * `--limit`, `/export:upstream-timeout=10m` in `rollcall balancer NAME set`, and `limits` in `rollcall.json`.
 */
import {
  type BalancerPatch,
  durationText,
  isObject,
  type LimitsPatch,
  limitPathFault,
  limitsFault,
  TIME_LIMIT_KEYS,
  TIME_LIMITS,
  type TimeLimit,
  type TimeLimitKey,
  timeLimitFault,
  timeLimitKey,
} from '@rollcall/protocol';
import { NOT_A_DURATION, signedDuration } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nearest } from '../nearest.ts';

type OwnPatch = { readonly [Key in TimeLimitKey]?: TimeLimit | null };

const NAMES: readonly string[] = TIME_LIMIT_KEYS.map((key) => TIME_LIMITS[key].name);

/** The limit that `text` is. Throws a usage failure that begins with `label`. */
export function timeLimitFrom(key: TimeLimitKey, text: string, label: string): TimeLimit {
  const ms = text === 'none' ? 'none' : signedDuration(text);
  if (ms === undefined) {
    const none = TIME_LIMITS[key].neverNone === undefined ? ', and not none' : '';
    throw usage(`${label}: ${text} ${NOT_A_DURATION}${none}`);
  }
  const fault = timeLimitFault(key, ms);
  if (fault !== undefined) throw usage(label === TIME_LIMITS[key].name ? fault : `${label}: ${fault}`);
  return ms;
}

/** The text of a limit, as `timeLimitFrom` reads it. */
export function timeLimitText(limit: TimeLimit): string {
  return limit === 'none' ? limit : durationText(limit);
}

/** A `--limit` of a balancer, or of a path within it; `*` is every balancer. */
export interface ScopedLimit {
  readonly balancer: string;
  readonly patch: BalancerPatch;
}

/** Reads `BALANCER[/PATH]:NAME=VALUE`; `undefined` for a limit of the whole proxy. Throws a usage failure for an invalid limit. */
export function scopedLimit(text: string): ScopedLimit | undefined {
  const [, balancer, path, name = '', value = ''] =
    /^(\*|[A-Za-z0-9_-]{1,64})(\/.*)?:([^:=/]*)=([^=]*)$/.exec(text) ?? [];
  if (balancer === undefined) return undefined;
  const limit = (key: TimeLimitKey): TimeLimit => timeLimitFrom(key, value, `--limit ${text}`);
  return { balancer, patch: limitPatch(path, name, limit, `--limit ${text}`) };
}

/** True for the key of a limit of a path in `rollcall balancer NAME set`: `/export:upstream-timeout`. */
export function isPathKey(key: string): boolean {
  return key.startsWith('/');
}

/** The patch that sets the limit of a path, `/export:upstream-timeout`, to `text`. */
export function pathLimitPatch(key: string, text: string): BalancerPatch {
  const { path, name } = pathKey(key);
  if (name === undefined) throw usage(`${key}: write PATH:LIMIT=DURATION, like /export:upstream-timeout=10m`);
  return limitPatch(path, name, (limit) => timeLimitFrom(limit, text, key), key);
}

/** The patch that removes the limit of a path, or with `/export` alone all limits of the path. */
export function pathLimitRemoval(key: string): BalancerPatch {
  const { path, name } = pathKey(key);
  if (name !== undefined) return limitPatch(path, name, () => null, key);
  checkPath(path, key);
  return { limits: { paths: { [path]: null } } };
}

function pathKey(key: string): { readonly path: string; readonly name?: string } {
  const colon = key.lastIndexOf(':');
  return colon < 0 ? { path: key } : { path: key.slice(0, colon), name: key.slice(colon + 1) };
}

/** The patch that sets one limit of the balancer, or of `path`. */
function limitPatch(
  path: string | undefined,
  name: string,
  limit: (key: TimeLimitKey) => TimeLimit | null,
  label: string,
): BalancerPatch {
  const key = timeLimitKey(name);
  if (key === undefined)
    throw usage(
      `${label}: ${name || 'the name'} is not a limit of a balancer or path${nearest(name, NAMES) || `; there are ${NAMES.join(', ')}`}`,
    );
  if (path === undefined) return { limits: { [key]: limit(key) } };
  checkPath(path, label);
  return { limits: { paths: { [path]: { [key]: limit(key) } } } };
}

function checkPath(path: string, label: string): void {
  const fault = limitPathFault(path);
  if (fault !== undefined) throw usage(`${label}: ${fault}`);
}

/** `limits` of a balancer in `rollcall.json`: `{"upstreamTimeout": "2m", "paths": {"/export": {"upstreamIdle": "none"}}}`. */
export function fileLimits(value: unknown, at: string): BalancerPatch {
  if (!isObject(value)) throw usage(`${at} is not an object of limits, like {"upstreamTimeout": "2m"}`);
  const { paths, ...own } = value;
  if (paths !== undefined && !isObject(paths))
    throw usage(`${at}.paths is not an object of limits by path, like {"/export": {"upstreamTimeout": "10m"}}`);
  const byPath = Object.entries(paths ?? {}).map(([path, limits]): [string, OwnPatch] => {
    const label = `${at}.paths ${JSON.stringify(path)}`;
    checkPath(path, label);
    if (!isObject(limits)) throw usage(`${label} is not an object of limits, like {"upstreamTimeout": "10m"}`);
    return [path, ownLimits(limits, label, [])];
  });
  const patch: LimitsPatch = {
    ...ownLimits(own, at, ['paths']),
    ...(byPath.length > 0 && { paths: Object.fromEntries(byPath) }),
  };
  const fault = limitsFault(patch);
  if (fault !== undefined) throw usage(`${at}: ${fault}`);
  return { limits: patch };
}

function ownLimits(limits: Readonly<Record<string, unknown>>, at: string, others: readonly string[]): OwnPatch {
  const keys = TIME_LIMIT_KEYS.map(fileKey);
  const own: { -readonly [Key in keyof OwnPatch]: OwnPatch[Key] } = {};
  for (const [name, text] of Object.entries(limits)) {
    const key = TIME_LIMIT_KEYS[keys.indexOf(name)];
    if (key === undefined)
      throw usage(`${at}: unknown key ${JSON.stringify(name)}${nearest(name, [...keys, ...others])}`);
    if (typeof text !== 'string') throw usage(`${at}.${name}: ${JSON.stringify(text)} ${NOT_A_DURATION}`);
    own[key] = timeLimitFrom(key, text, `${at}.${name}`);
  }
  return own;
}

/** `upstreamTimeout`: durations in the file have a unit, so the key has none. */
function fileKey(key: TimeLimitKey): string {
  return key.slice(0, -'Ms'.length);
}

/** `limits` changed by `patch`, both as patches. */
export function joinedLimits(limits: LimitsPatch | undefined, patch: LimitsPatch | undefined): LimitsPatch {
  const paths: Record<string, OwnPatch | null> = { ...limits?.paths };
  for (const [path, change] of Object.entries(patch?.paths ?? {}))
    paths[path] = change === null ? null : { ...paths[path], ...change };
  return { ...limits, ...patch, ...(Object.keys(paths).length > 0 && { paths }) };
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
