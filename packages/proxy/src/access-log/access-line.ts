/** One request as a line of the access log. Session ids are masked: a reader of the log could take a session over. */
import { editParameters } from '@rollcall/core';
import type { AccessEntry } from '../engine/access-entry.ts';

/** `combined` is the format of Apache, which all log readers know; `json` has all fields. */
export const ACCESS_LOG_FORMATS = ['combined', 'json'] as const;
export type AccessLogFormat = (typeof ACCESS_LOG_FORMATS)[number];

/** Replaces a session id. */
const MASK = '*';
const CLEAN = /^[ !#-[\]-~]*$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The line of `entry`, finished at `unixMs`, with its line end. */
export function accessLine(entry: AccessEntry, format: AccessLogFormat, unixMs: number): string {
  return format === 'json' ? jsonLine(entry, unixMs) : combinedLine(entry, unixMs);
}

/** `host - - [time] "request" status bytes "referer" "user agent"`, as Apache's `combined`; times are UTC. */
function combinedLine(entry: AccessEntry, unixMs: number): string {
  const { client, method, isHttp10, status, bytesOut } = entry;
  const request =
    method === '' ? '-' : `${method} ${masked(entry.target, entry.sessionParameters)} HTTP/1.${isHttp10 ? 0 : 1}`;
  const referer = masked(entry.referer, entry.sessionParameters);
  return `${client} - - [${clfTime(unixMs)}] "${escaped(request)}" ${status} ${bytesOut} "${escaped(referer) || '-'}" "${escaped(entry.userAgent) || '-'}"\n`;
}

function jsonLine(entry: AccessEntry, unixMs: number): string {
  const { sessionParameters } = entry;
  return `${JSON.stringify({
    time: new Date(unixMs).toISOString(),
    client: entry.client,
    method: entry.method,
    host: entry.host,
    target: masked(entry.target, sessionParameters),
    protocol: entry.isHttp10 ? 'HTTP/1.0' : 'HTTP/1.1',
    status: entry.status,
    bytes: entry.bytesOut,
    referer: masked(entry.referer, sessionParameters),
    userAgent: entry.userAgent,
    requestId: entry.requestId,
    ...(entry.traceparent !== '' && { traceparent: entry.traceparent }),
    balancer: entry.balancer,
    node: entry.node,
    route: entry.route,
    sticky: entry.stickyResult,
    retries: Math.max(0, entry.attempts - 1),
    upstreamMs: rounded(entry.upstreamMs),
    totalMs: rounded(entry.totalMs),
  })}\n`;
}

function masked(target: string, names: readonly string[]): string {
  if (!target.includes('=')) return target;
  return editParameters(target, names, () => MASK) ?? target;
}

/** Escapes characters that would end a line or a quoted text, or control a terminal. */
function escaped(text: string): string {
  return CLEAN.test(text)
    ? text
    : text.replace(/[^ !#-[\]-~]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

let timeSecond = Number.NaN;
let timeText = '';

/** `21/Nov/2026:07:38:09 +0000`, built once per second. */
function clfTime(unixMs: number): string {
  const second = Math.floor(unixMs / 1_000);
  if (second !== timeSecond) {
    timeSecond = second;
    timeText = clfTimeOf(unixMs);
  }
  return timeText;
}

function clfTimeOf(unixMs: number): string {
  const date = new Date(unixMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}
