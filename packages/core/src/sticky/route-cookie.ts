/**
 * The cookie that the proxy sets in mode `insert`: its value, and the interface of its seal.
 *
 * The value is `id.route`. With a limited lifetime it is `id.~time.route`. The time is the instant at which the cookie was
 * written (lifetime `idle`) or its session began (`whole`). Its unit is seconds of the wall clock, base 36. `~` is in no route.
 */
import { type BalancerName, FIRST_ROUTE_COOKIE, type RouteCookie } from '@rollcall/protocol';
import { hashText } from './text-hash.ts';

/** Characters of the id in the proxy's cookie: two that mark the balancer, and 96 random bits in base64url. */
const ID_LENGTH = 18;
const ID_SHAPE = /^[A-Za-z0-9_-]{18}$/;
const TIME_SHAPE = /^\.~([0-9a-z]{1,8})\./;
const DOT = 0x2e;
const TILDE = 0x7e;
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Digits of the cluster id in the name. */
const NAME_DIGITS = 6;

/** The cookie without settings. `clusterId` is undefined while it is not known. */
export function defaultRouteCookie(clusterId?: string): RouteCookie {
  if (clusterId === undefined) return FIRST_ROUTE_COOKIE;
  const { name } = FIRST_ROUTE_COOKIE;
  return { ...FIRST_ROUTE_COOKIE, name: `${name}_${clusterId.slice(0, NAME_DIGITS)}`, earlierNames: [name] };
}

/**
 * The first characters of the ids in a balancer's cookies. With nested contexts a browser also sends the outer cookie, and
 * the routes of two balancers may have the same names. The mark shows to which balancer a cookie belongs.
 */
export function routeCookieMark(balancer: BalancerName): string {
  const hash = hashText(balancer, 0);
  return DIGITS[hash & 63]! + DIGITS[(hash >>> 6) & 63]!;
}

/** True when `value`, of the proxy's cookie, has an id that the proxy made with another mark. */
export function isOfAnother(value: string, mark: string): boolean {
  return value.charCodeAt(ID_LENGTH) === DOT && !value.startsWith(mark) && routeCookieId(value) !== undefined;
}

/** Makes and checks the seals that prevent clients from choosing a node. Present when the worker has a secret. */
export interface CookieSeal {
  /** The seal of `text`, without dots. */
  sealOf(text: string): string;
  /** True when `seal` is the seal of `text`, by the current secret or the previous one. */
  isSealOf(text: string, seal: string): boolean;
}

/** The text before the seal in the value of the proxy's cookie; `undefined` when the seal is missing or wrong. */
export function unsealed(value: string, seal: CookieSeal): string | undefined {
  const dot = value.lastIndexOf('.');
  if (dot < 0) return undefined;
  const text = value.slice(0, dot);
  return seal.isSealOf(text, value.slice(dot + 1)) ? text : undefined;
}

/**
 * The id in the value of the proxy's cookie; `undefined` when it does not have the form of the proxy's ids. Text of a client
 * is therefore never sent back.
 */
export function routeCookieId(value: string): string | undefined {
  const id = value.slice(0, ID_LENGTH);
  return value[ID_LENGTH] === '.' && ID_SHAPE.test(id) ? id : undefined;
}

/** The value without its time: it names the session, and stays the same for the whole session. */
export function withoutTime(value: string): string {
  if (!mayHaveTime(value)) return value;
  const [written = ''] = TIME_SHAPE.exec(value.slice(ID_LENGTH)) ?? [];
  return written === '' ? value : `${value.slice(0, ID_LENGTH)}.${value.slice(ID_LENGTH + written.length)}`;
}

/** The time in the value, Unix seconds; -1 for a value without one. */
export function timeOf(value: string): number {
  const digits = mayHaveTime(value) ? TIME_SHAPE.exec(value.slice(ID_LENGTH))?.[1] : undefined;
  return digits === undefined ? -1 : Number.parseInt(digits, 36);
}

/** The value with a time; `text` is `id.route`. */
export function withTime(text: string, unixSeconds: number): string {
  return `${text.slice(0, ID_LENGTH)}.~${Math.max(0, Math.floor(unixSeconds)).toString(36)}${text.slice(ID_LENGTH)}`;
}

/** Keeps values without a time, most of them, cheap. */
function mayHaveTime(value: string): boolean {
  return value.charCodeAt(ID_LENGTH + 1) === TILDE && value.charCodeAt(ID_LENGTH) === DOT;
}
