/** The parameters of CONFIG, with the defaults of mod_proxy_cluster. Unknown keys are ignored, so that newer nodes can register. */
import { type FaultAnswer, faults } from '../answers/answer.ts';
import type { BodyField } from './body-fields.ts';

export interface NodeConfig {
  /** As sent. */
  readonly route: string;
  /** In lower case. Default `mycluster`. */
  readonly balancer: string;
  /** Group of nodes that sessions fail over within; empty for none. */
  readonly group: string;
  readonly host: string;
  readonly port: number;
  /** `ws` and `wss` are http and https here: each request decides about an upgrade. */
  readonly scheme: 'ajp' | 'http' | 'https';
  /** The type as sent: `ajp`, `http`, `https`, `ws` or `wss`. Default `ajp`. */
  readonly typeText: string;
  readonly flushPackets: 'Off' | 'On' | 'Auto';
  readonly flushWaitMs: number;
  readonly pingS: number;
  readonly smax: number;
  readonly ttlS: number;
  readonly timeoutS: number;
  readonly sticky: StickyConfig;
  /** Settings of the balancer that the node has sent, and that have an equal here. Absent fields were not sent. */
  readonly hint: ConfigHint;
}

/** Settings for requests of a balancer, as one node proposes them. */
export interface ConfigHint {
  /** Maxattempts, at most 10. */
  readonly retries?: number;
  /** Timeout, at most a day: silence of a node before, and within, its response. */
  readonly limits?: { readonly upstreamTimeoutMs: number; readonly upstreamIdleMs: number };
}

/** Settings of a balancer, as one node proposes them. */
export interface StickyConfig {
  readonly isSticky: boolean;
  readonly cookie: string;
  readonly path: string;
  readonly isRemoved: boolean;
  readonly isForced: boolean;
  readonly waitWorkerS: number;
  readonly maxAttempts: number;
}

/** Longest values, in octets, and the name in the fault; without a name the fault names no field. */
const LENGTHS: Readonly<Record<string, readonly [most: number, name?: string]>> = {
  balancer: [39, 'Balancer'],
  domain: [19, 'LBGroup'],
  host: [63, 'Host'],
  port: [6, 'Port'],
  type: [15, 'Type'],
  stickysessioncookie: [29],
  stickysessionpath: [29],
};

/** Scheme of the node's address, by type. */
export const SCHEMES: ReadonlyMap<string, NodeConfig['scheme']> = new Map([
  ['ajp', 'ajp'],
  ['http', 'http'],
  ['https', 'https'],
  ['ws', 'http'],
  ['wss', 'https'],
]);

/** A name that a cookie, or a path parameter, may have. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export function readConfig(fields: readonly BodyField[], maxRoute: number): NodeConfig | FaultAnswer {
  const values = new Map(fields.map(({ key, value }) => [key, value]));
  const route = values.get('jvmroute') ?? '';
  if (route === '') return faults.noRoute;
  if (route.length > maxRoute) return faults.tooBig('JVMRoute');
  for (const [key, [most, name]] of Object.entries(LENGTHS))
    if ((values.get(key)?.length ?? 0) > most) return faults.tooBig(name);
  const type = (values.get('type') ?? 'ajp').toLowerCase();
  const scheme = SCHEMES.get(type);
  if (scheme === undefined) return faults.badValue('Type');
  const port = Number(values.get('port') ?? 8_009);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return faults.badValue('Port');
  const times = readTimes(values);
  if ('type' in times) return times;
  const sticky = readSticky(values);
  if ('type' in sticky) return sticky;
  return {
    route,
    balancer: (values.get('balancer') ?? 'mycluster').toLowerCase(),
    group: values.get('domain') ?? '',
    host: hostOf(values.get('host') ?? 'localhost'),
    port,
    scheme,
    typeText: type,
    flushPackets: flushOf(values.get('flushpackets')),
    smax: integerOf(values.get('smax'), -1),
    ...times,
    sticky,
    hint: readHint(values, sticky),
  };
}

const MAX_RETRIES = 10;
const DAY_MS = 86_400_000;

function readHint(values: ReadonlyMap<string, string>, { maxAttempts }: StickyConfig): ConfigHint {
  const timeoutMs = Math.min(milliseconds(values.get('timeout'), 1_000, 0) ?? 0, DAY_MS);
  return {
    ...(values.has('maxattempts') && { retries: Math.min(maxAttempts, MAX_RETRIES) }),
    ...(timeoutMs > 0 && { limits: { upstreamTimeoutMs: timeoutMs, upstreamIdleMs: timeoutMs } }),
  };
}

type Times = Pick<NodeConfig, 'flushWaitMs' | 'pingS' | 'ttlS' | 'timeoutS'>;

function readTimes(values: ReadonlyMap<string, string>): Times | FaultAnswer {
  const flushWaitMs = milliseconds(values.get('flushwait'), 1, 10);
  const pingMs = milliseconds(values.get('ping'), 1_000, 10_000);
  const ttlMs = milliseconds(values.get('ttl'), 1_000, 60_000);
  const timeoutMs = milliseconds(values.get('timeout'), 1_000, 0);
  if (flushWaitMs === undefined) return faults.badValue('Flushwait');
  if (pingMs === undefined) return faults.badValue('Ping');
  if (ttlMs === undefined) return faults.badValue('TTL');
  if (timeoutMs === undefined) return faults.badValue('Timeout');
  return { flushWaitMs, pingS: inSeconds(pingMs), ttlS: inSeconds(ttlMs), timeoutS: inSeconds(timeoutMs) };
}

function inSeconds(ms: number): number {
  return Math.floor(ms / 1_000);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, mi: 60_000, min: 60_000, h: 3_600_000 };

/** A time with the unit suffixes of httpd; `undefined` for any other text. `unitMs` applies to a number alone. */
function milliseconds(text: string | undefined, unitMs: number, otherwise: number): number | undefined {
  if (text === undefined) return otherwise;
  const match = /^([0-9]{1,9})(ms|s|mi|min|h)?$/i.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * (match[2] === undefined ? unitMs : UNITS[match[2].toLowerCase()]!);
}

function readSticky(values: ReadonlyMap<string, string>): StickyConfig | FaultAnswer {
  const cookie = values.get('stickysessioncookie') ?? 'JSESSIONID';
  const path = values.get('stickysessionpath') ?? 'jsessionid';
  if (!TOKEN.test(cookie)) return faults.badValue('StickySessionCookie');
  if (!TOKEN.test(path)) return faults.badValue('StickySessionPath');
  return {
    isSticky: isWord(values.get('stickysession'), 'no') !== true,
    cookie,
    path,
    isRemoved: isWord(values.get('stickysessionremove'), 'yes') === true,
    // As in httpd, where a node that does not send it forces; the Java listener sends `No`.
    isForced: isWord(values.get('stickysessionforce'), 'no') !== true,
    waitWorkerS: Math.max(0, integerOf(values.get('waitworker'), 0)),
    maxAttempts: Math.max(1, integerOf(values.get('maxattempts'), 1)),
  };
}

function isWord(text: string | undefined, word: string): boolean | undefined {
  return text === undefined ? undefined : text.toLowerCase() === word;
}

function flushOf(text: string | undefined): NodeConfig['flushPackets'] {
  switch (text?.toLowerCase()) {
    case 'on':
      return 'On';
    case 'auto':
      return 'Auto';
    default:
      return 'Off';
  }
}

/** As C reads it: leading digits, else `otherwise`. */
function integerOf(text: string | undefined, otherwise: number): number {
  const match = /^-?[0-9]{1,9}/.exec(text ?? '');
  return match ? Number(match[0]) : otherwise;
}

/** An IPv6 address in brackets and without zone; any other host as it is. */
function hostOf(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  return bare.includes(':') ? `[${bare.replace(/%.*$/, '')}]` : bare;
}
