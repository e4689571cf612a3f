/**
 * Settings of a balancer as people write them: in flags of `up`, in `rollcall.json`, in `rollcall balancer NAME set`, and
 * as hints of `run`, `join` and `add`. One key is one setting; each turns into a patch of the admin API.
 */
import { type BalancerPatch, FAILOVERS, parseCookieName, parseParameterName } from '@rollcall/protocol';
import { durationFrom } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nearest } from '../nearest.ts';

type StickyPatch = NonNullable<BalancerPatch['sticky']>;

const MODES = ['insert', 'suffix', 'rewrite', 'none'] as const;
const MAX_LIST = 16;
const MAX_SESSION_IDLE_MS = 86_400_000;

/** One setting: how its text is read, and what takes it back. `label` is what the user wrote, for the refusal. */
interface Setting {
  readonly help: string;
  /** Several texts for lists, otherwise one. */
  readonly read: (texts: readonly string[], label: string) => BalancerPatch;
  readonly unset: BalancerPatch;
}

/** All settings by key. Apache's spelling stands for two of ours. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  algorithm: {
    help: 'for requests without a session: adaptive, round-robin, least-connections, power-of-two, modcluster (its own rule, to compare), or with up a file, ./mine.js',
    read: (texts) => ({ algorithm: one(texts) }),
    unset: { algorithm: null },
  },
  'session-algorithm': {
    help: 'for new sessions: session, or one of the others',
    read: (texts) => ({ sessionAlgorithm: one(texts) }),
    unset: { sessionAlgorithm: null },
  },
  retries: {
    help: 'further attempts after a failed one, 0–10',
    read: (texts, label) => ({ retries: whole(one(texts), label, 0, 10) }),
    unset: { retries: null },
  },
  'session-idle': {
    help: 'a session is active until it was silent this long',
    read: (texts, label) => ({ sessionIdleMs: idleMs(one(texts), label) }),
    unset: { sessionIdleMs: null },
  },
  assign: {
    help: 'clients may ask which node to connect to directly: on or off',
    read: (texts, label) => ({ assign: flag(one(texts), label) }),
    unset: { assign: null },
  },
  sticky: {
    help: `how sessions find their node: ${MODES.join(', ')}`,
    read: (texts, label) => sticky({ mode: member(MODES, one(texts), label) }),
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
    help: 'any node can serve any session, so a few may leave a node that stays hot: true or false',
    read: (texts, label) => sticky({ movable: flag(one(texts), label) }),
    unset: sticky({ movable: null }),
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

/** The patch for one setting. Throws a usage failure that names `label` for what cannot be. */
export function settingPatch(key: string, texts: readonly string[], label: string): BalancerPatch {
  return settingOf(key).read(texts, label);
}

/** The patch that takes one setting back. */
export function unsettingPatch(key: string): BalancerPatch {
  return settingOf(key).unset;
}

function settingOf(key: string): Setting {
  const setting = Object.hasOwn(SETTINGS, key) ? SETTINGS[key] : undefined;
  if (setting !== undefined) return setting;
  const known = Object.keys(SETTINGS);
  throw usage(`there is no setting ${key}${nearest(key, known) || `; there are ${known.join(', ')}`}`);
}

/** All of `patches` as one; of two that set the same the later wins. */
export function joined(patches: readonly BalancerPatch[]): BalancerPatch {
  let whole: BalancerPatch = {};
  for (const patch of patches) {
    const stickyPart = { ...whole.sticky, ...patch.sticky };
    whole = { ...whole, ...patch, ...(Object.keys(stickyPart).length > 0 ? { sticky: stickyPart } : {}) };
  }
  return whole;
}

/**
 * mod_proxy_balancer's `stickysession=JSESSIONID|jsessionid`: the cookie, and behind the bar the parameter in the path or
 * query. There the node writes the route into the id, which is our mode suffix.
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

function flag(text: string, label: string): boolean {
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
