/**
 * Time limits within the settings of a balancer. Each limit is one setting with a flat name, so that the narrower source wins
 * for each limit and each path: `limits.upstreamTimeoutMs`, `limits./export.upstreamTimeoutMs`.
 */
import {
  type BalancerLimits,
  type LimitsPatch,
  MAX_LIMIT_PATHS,
  TIME_LIMIT_KEYS,
  type TimeLimit,
  type TimeLimitKey,
  type TimeLimits,
} from '@rollcall/protocol';

/** Name of one limit among the settings. */
export type LimitName = `limits.${TimeLimitKey}` | `limits./${string}.${TimeLimitKey}`;

export type LimitSettings = { readonly [Name in LimitName]?: TimeLimit };

const PREFIX = 'limits.';

/** True for the name of a limit. */
export function isLimitName(name: string): name is LimitName {
  return name.startsWith(PREFIX);
}

/** The path of a limit; `undefined` for a limit of the whole balancer. */
export function limitPathOf(name: LimitName): string | undefined {
  const end = name.lastIndexOf('.');
  return end < PREFIX.length ? undefined : name.slice(PREFIX.length, end);
}

/** The limits among `settings`, changed by `patch`; in the order of their names. */
export function patchedLimits(settings: Readonly<Record<string, unknown>>, patch: LimitsPatch = {}): LimitSettings {
  const limits = new Map<string, unknown>(Object.entries(settings).filter(([name]) => isLimitName(name)));
  const { paths = {}, ...own } = patch;
  set(limits, PREFIX, own);
  for (const [path, change] of Object.entries(paths))
    if (change !== null) set(limits, `${PREFIX}${path}.`, change);
    else for (const key of TIME_LIMIT_KEYS) limits.delete(`${PREFIX}${path}.${key}`);
  const kept = [...limits].filter(([, value]) => value !== null);
  // The patch has passed `limitsFault`.
  return Object.fromEntries(kept.sort(([one], [other]) => (one < other ? -1 : 1))) as LimitSettings;
}

/** `undefined` is unchanged, as an absent limit is. */
function set(limits: Map<string, unknown>, prefix: string, change: LimitsPatch['paths'] | object): void {
  for (const [key, value] of Object.entries(change ?? {})) if (value !== undefined) limits.set(prefix + key, value);
}

/** The limits among `settings` by path; `undefined` if there are none. */
export function limitsOf(settings: Readonly<Record<string, unknown>>): BalancerLimits | undefined {
  const own: Record<string, unknown> = {};
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [name, value] of Object.entries(settings)) {
    if (!isLimitName(name)) continue;
    const path = limitPathOf(name);
    const key = name.slice(name.lastIndexOf('.') + 1);
    if (path === undefined) own[key] = value;
    else paths[path] = { ...paths[path], [key]: value };
  }
  const hasPaths = Object.keys(paths).length > 0;
  if (!hasPaths && Object.keys(own).length === 0) return undefined;
  // Layers hold only limits that `limitsFault` has accepted.
  return { ...(own as TimeLimits), ...(hasPaths && { paths: paths as Readonly<Record<string, TimeLimits>> }) };
}

/** The paths that have limits in `layers`, at most `MAX_LIMIT_PATHS`; those of earlier layers first. */
export function limitPathsIn(layers: readonly object[], most: number = MAX_LIMIT_PATHS): Set<string> {
  const found = new Set<string>();
  for (const layer of layers)
    for (const name of Object.keys(layer)) {
      const path = isLimitName(name) ? limitPathOf(name) : undefined;
      if (path !== undefined && found.size < most) found.add(path);
    }
  return found;
}
