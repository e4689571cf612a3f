/**
 * Text form of the settings of a balancer: in flags of `up`, in `rollcall.json`, in `rollcall balancer NAME set`, and
 * as hints of `run`, `join` and `add`. Each key is one setting and becomes a patch of the admin API.
 */
import {
  type BalancerPatch,
  COOKIE_AFTER_MS,
  COOKIE_SECURE,
  type CookieLifetime,
  durationText,
  FAILOVERS,
  parseCookieDomain,
  parseCookieName,
  parseCookiePath,
  parseParameterName,
  type RouteCookiePatch,
  SAME_SITES,
  STICKY_MODES,
  type TimeLimitKey,
} from '@rollcall/protocol';
import { durationFrom } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nearest } from '../nearest.ts';
import { isPathKey, joinedLimits, pathLimitPatch, pathLimitRemoval, timeLimitFrom } from './time-limits.ts';

type StickyPatch = NonNullable<BalancerPatch['sticky']>;

const MAX_LIST = 16;
const MAX_SESSION_IDLE_MS = 86_400_000;

/** One setting: parser of its text, and the patch that unsets it. `label` names it in error messages. */
interface Setting {
  readonly help: string;
  /** Several texts for lists, otherwise one. */
  readonly read: (texts: readonly string[], label: string) => BalancerPatch;
  readonly unset: BalancerPatch;
}

/** All settings by key. Each Apache spelling sets two settings of Rollcall. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  algorithm: {
    help: 'algorithm for requests without a session: adaptive, round-robin, least-connections, power-of-two, modcluster (rule of mod_cluster, for comparison), or a file of up, ./mine.js',
    read: (texts) => ({ algorithm: one(texts) }),
    unset: { algorithm: null },
  },
  'session-algorithm': {
    help: 'algorithm for new sessions: session, or one of the algorithms above',
    read: (texts) => ({ sessionAlgorithm: one(texts) }),
    unset: { sessionAlgorithm: null },
  },
  retries: {
    help: 'retries after a failed attempt, 0–10',
    read: (texts, label) => ({ retries: whole(one(texts), label, 0, 10) }),
    unset: { retries: null },
  },
  'session-idle': {
    help: 'idle time after which a session counts as inactive',
    read: (texts, label) => ({ sessionIdleMs: idleMs(one(texts), label) }),
    unset: { sessionIdleMs: null },
  },
  'min-eligible': {
    help: 'eligible nodes that drain, stop, scale, remove and the end of an agent leave in each context, 0–1000; fewer need --yes',
    read: (texts, label) => ({ minEligible: whole(one(texts), label, 0, 1_000) }),
    unset: { minEligible: null },
  },
  assign: {
    help: 'answer clients that ask for a node to connect to directly: on or off',
    read: (texts, label) => ({ assign: flag(one(texts), label) }),
    unset: { assign: null },
  },
  'upstream-timeout': timeLimit('upstreamTimeoutMs', 'time limit until a node begins to answer, a duration or none'),
  'upstream-idle': timeLimit('upstreamIdleMs', 'idle time limit of a node within its response, a duration or none'),
  'event-stream-idle': timeLimit('eventStreamIdleMs', 'idle time limit of a node within an event stream, or none'),
  'tunnel-idle': timeLimit('tunnelIdleMs', 'idle time limit of an upgraded connection, a duration or none'),
  'body-timeout': timeLimit('bodyTimeoutMs', 'idle time limit of a client within a request body, a duration'),
  sticky: {
    help: `how sessions find their node: ${STICKY_MODES.join(', ')}`,
    read: (texts, label) => sticky({ mode: member(STICKY_MODES, one(texts), label) }),
    unset: sticky({ mode: null }),
  },
  cookies: {
    help: 'cookies that may carry the session id',
    read: (texts, label) => sticky({ cookies: names(texts, label, parseCookieName, 'the name of a cookie') }),
    unset: sticky({ cookies: null }),
  },
  parameters: {
    help: 'path and query parameters that may carry it',
    read: (texts, label) => sticky({ parameters: names(texts, label, parseParameterName, 'the name of a parameter') }),
    unset: sticky({ parameters: null }),
  },
  failover: {
    help: `where a session goes when its node is gone: ${FAILOVERS.join(', ')}`,
    read: (texts, label) => sticky({ failover: member(FAILOVERS, one(texts), label) }),
    unset: sticky({ failover: null }),
  },
  remove: {
    help: 'strip the id of a lost session: true or false',
    read: (texts, label) => sticky({ remove: flag(one(texts), label) }),
    unset: sticky({ remove: null }),
  },
  movable: {
    help: 'any node can serve any session, so an overloaded node may lose sessions: true or false',
    read: (texts, label) => sticky({ movable: flag(one(texts), label) }),
    unset: sticky({ movable: null }),
  },
  'route-cookie-name': {
    help: 'name of the cookie of the proxy in mode insert (default: rc_route_ and 6 digits of the cluster id)',
    read: (texts, label) => routeCookie({ name: checked(parseCookieName, one(texts), label, 'the name of a cookie') }),
    unset: routeCookie({ name: null }),
  },
  'route-cookie-same-site': {
    help: `SameSite of this cookie: ${SAME_SITES.join(', ')} (default: Lax)`,
    read: (texts, label) => routeCookie({ sameSite: member(SAME_SITES, one(texts), label) }),
    unset: routeCookie({ sameSite: null }),
  },
  'route-cookie-secure': {
    help: 'Secure of this cookie: auto, if the client uses TLS, or always (default: auto)',
    read: (texts, label) => routeCookie({ secure: member(COOKIE_SECURE, one(texts), label) }),
    unset: routeCookie({ secure: null }),
  },
  'route-cookie-partitioned': {
    help: 'a separate cookie for each site that embeds this one: true or false (default: false)',
    read: (texts, label) => routeCookie({ partitioned: flag(one(texts), label) }),
    unset: routeCookie({ partitioned: null }),
  },
  'route-cookie-domain': {
    help: 'Domain of this cookie, a host name of two labels or more, like example.com (default: only the host of the request)',
    read: (texts, label) =>
      routeCookie({ domain: checked(parseCookieDomain, one(texts), label, 'a host name, like example.com') }),
    unset: routeCookie({ domain: null }),
  },
  'route-cookie-path': {
    help: 'Path of this cookie (default: the context)',
    read: (texts, label) => routeCookie({ path: checked(parseCookiePath, one(texts), label, 'a path, like /shop') }),
    unset: routeCookie({ path: null }),
  },
  'route-cookie-lifetime': {
    help: 'end of this cookie: session (with the browser), application (also when an answer removes the session cookie of the program), idle:DURATION after the last request, or whole:DURATION after the first one, 10s to 400d (default: session)',
    read: (texts, label) => routeCookie({ lifetime: lifetime(one(texts), label) }),
    unset: routeCookie({ lifetime: null }),
  },
  stickysession: {
    help: "Apache's spelling, COOKIE|PARAMETER or one name for both; sets sticky to suffix",
    read: apacheStickySession,
    unset: sticky({ mode: null, cookies: null, parameters: null }),
  },
  nofailover: {
    help: "Apache's spelling: on is failover none, off is failover any",
    read: (texts, label) => sticky({ failover: flag(one(texts), label) ? 'none' : 'any' }),
    unset: sticky({ failover: null }),
  },
};

/** The patch for one setting. Throws a usage failure that names `label` for an invalid value. */
export function settingPatch(key: string, texts: readonly string[], label: string): BalancerPatch {
  if (isPathKey(key)) return pathLimitPatch(key, one(texts));
  return settingOf(key).read(texts, label);
}

/** The patch that unsets one setting. */
export function unsettingPatch(key: string): BalancerPatch {
  return isPathKey(key) ? pathLimitRemoval(key) : settingOf(key).unset;
}

function settingOf(key: string): Setting {
  const setting = Object.hasOwn(SETTINGS, key) ? SETTINGS[key] : undefined;
  if (setting !== undefined) return setting;
  const known = Object.keys(SETTINGS);
  throw usage(`there is no setting ${key}${nearest(key, known) || `; there are ${known.join(', ')}`}`);
}

/** Merges `patches`; later patches override earlier ones. */
export function joined(patches: readonly BalancerPatch[]): BalancerPatch {
  let whole: BalancerPatch = {};
  for (const patch of patches) {
    const cookiePart = { ...whole.sticky?.routeCookie, ...patch.sticky?.routeCookie };
    const hasCookie = Object.keys(cookiePart).length > 0;
    const stickyPart = { ...whole.sticky, ...patch.sticky, ...(hasCookie && { routeCookie: cookiePart }) };
    const limits = joinedLimits(whole.limits, patch.limits);
    whole = {
      ...whole,
      ...patch,
      ...(Object.keys(stickyPart).length > 0 ? { sticky: stickyPart } : {}),
      ...(Object.keys(limits).length > 0 ? { limits } : {}),
    };
  }
  return whole;
}

/**
 * mod_proxy_balancer's `stickysession=JSESSIONID|jsessionid`: the cookie, then the parameter in the path or
 * query. The node writes the route into the id, which is the mode `suffix` of Rollcall.
 */
function apacheStickySession(texts: readonly string[], label: string): BalancerPatch {
  const text = one(texts);
  const [cookie = '', parameter = cookie, ...more] = text.split('|');
  if (more.length > 0)
    throw usage(`${label} ${JSON.stringify(text)}: write COOKIE|PARAMETER, like JSESSIONID|jsessionid`);
  return sticky({
    mode: 'suffix',
    cookies: names([cookie], label, parseCookieName, 'COOKIE|PARAMETER'),
    parameters: names([parameter], label, parseParameterName, 'COOKIE|PARAMETER'),
  });
}

function routeCookie(patch: RouteCookiePatch): BalancerPatch {
  return sticky({ routeCookie: patch });
}

function checked<Value>(parse: (text: string) => Value | undefined, text: string, label: string, what: string): Value {
  const value = parse(text);
  if (value === undefined) throw usage(`${label} ${JSON.stringify(text)}: write ${what}`);
  return value;
}

function lifetime(text: string, label: string): CookieLifetime {
  if (text === 'session' || text === 'application') return { ends: text };
  const [ends = '', duration] = text.split(':', 2);
  if ((ends !== 'idle' && ends !== 'whole') || duration === undefined)
    throw usage(`${label} ${JSON.stringify(text)}: write session, application, idle:30m or whole:12h`);
  const { min: minMs, max: maxMs } = COOKIE_AFTER_MS;
  return { ends, afterMs: durationFrom(label, duration, { minMs, maxMs }) };
}

/** The text of a lifetime, as `route-cookie-lifetime` reads it. */
export function lifetimeText(value: CookieLifetime): string {
  return 'afterMs' in value ? `${value.ends}:${durationText(value.afterMs)}` : value.ends;
}

/** A time limit of the whole balancer. */
function timeLimit(key: TimeLimitKey, help: string): Setting {
  return {
    help,
    read: (texts, label) => ({ limits: { [key]: timeLimitFrom(key, one(texts), label) } }),
    unset: { limits: { [key]: null } },
  };
}

function sticky(patch: StickyPatch): BalancerPatch {
  return { sticky: patch };
}

function one(texts: readonly string[]): string {
  return texts.at(-1) ?? '';
}

function whole(text: string, label: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw usage(`${label} ${JSON.stringify(text)}: write a whole number from ${min} to ${max}`);
}

function idleMs(text: string, label: string): number {
  return durationFrom(label, text, { minMs: 1_000, maxMs: MAX_SESSION_IDLE_MS });
}

function member<Item extends string>(items: readonly Item[], text: string, label: string): Item {
  const found = items.find((item) => item === text);
  if (found !== undefined) return found;
  throw usage(`${label} ${JSON.stringify(text)}: write one of ${items.join(', ')}`);
}

/** A switch as text. */
export function flag(text: string, label: string): boolean {
  const value = text.toLowerCase();
  if (['true', 'on', 'yes', '1'].includes(value)) return true;
  if (['false', 'off', 'no', '0'].includes(value)) return false;
  throw usage(`${label} ${JSON.stringify(text)}: write on or off`);
}

/** A list may be several texts, or one with commas. */
function names(
  texts: readonly string[],
  label: string,
  parse: (text: string) => string | undefined,
  what: string,
): readonly string[] {
  const items = texts.flatMap((text) => text.split(','));
  if (items.length > MAX_LIST) throw usage(`${label} has ${items.length} names; at most ${MAX_LIST} are possible`);
  return items.map((text) => {
    const item = parse(text.trim());
    if (item === undefined) throw usage(`${label} ${JSON.stringify(text)}: write ${what}`);
    return item;
  });
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
