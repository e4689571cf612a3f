/** Writes the `Set-Cookie` values of a balancer's route cookie in one context. All texts that do not change are made once. */
import type { ContextPath, RouteCookie } from '@rollcall/protocol';
import { type CookieSeal, withTime } from './route-cookie.ts';

/** With lifetime `idle` the cookie is written again when this part of the time is over, and lasts longer by the same part. */
const RENEWAL_RATIO = 0.1;

export class RouteCookieWriter {
  readonly #cookie: RouteCookie;
  readonly #seal: CookieSeal | undefined;
  readonly #start: string;
  readonly #plain: string;
  readonly #secure: string;
  /** For earlier cookies, which had the context as path and no domain. */
  readonly #earlierEnd: string;
  readonly #isTimed: boolean;
  readonly #afterS: number;
  /** Seconds without a request after which a cookie with lifetime `idle` is over. */
  readonly #idleS: number;

  constructor(cookie: RouteCookie, context: ContextPath, seal?: CookieSeal) {
    this.#cookie = cookie;
    this.#seal = seal;
    this.#start = `${cookie.name}=`;
    this.#plain = attributesOf(cookie, context, cookie.secure === 'always');
    this.#secure = attributesOf(cookie, context, true);
    this.#earlierEnd = `=; Max-Age=0; Path=${context}; HttpOnly; SameSite=Lax`;
    const { lifetime } = cookie;
    this.#isTimed = lifetime.ends === 'idle' || lifetime.ends === 'whole';
    this.#afterS = 'afterMs' in lifetime ? Math.ceil(lifetime.afterMs / 1_000) : Number.POSITIVE_INFINITY;
    this.#idleS = this.#afterS + Math.ceil(this.#afterS * RENEWAL_RATIO);
  }

  /** The attributes without those of the lifetime, for an id of the application in a cookie that the proxy writes. */
  attributes(isSecure: boolean): string {
    return isSecure ? this.#secure : this.#plain;
  }

  /**
   * The cookie for `text`, which is `id.route`. `timeS` is the time in the cookie of the request, -1 for none: with lifetime
   * `whole` the session keeps its begin.
   */
  write(text: string, timeS: number, nowUnixMs: number, isSecure: boolean): string {
    const attributes = this.attributes(isSecure);
    if (!this.#isTimed) return `${this.#start}${this.#sealed(text)}${attributes}`;
    const nowS = Math.floor(nowUnixMs / 1_000);
    const isWhole = this.#cookie.lifetime.ends === 'whole';
    const writtenS = isWhole && timeS >= 0 ? Math.min(timeS, nowS) : nowS;
    const maxAge = isWhole ? writtenS + this.#afterS - nowS : this.#idleS;
    return `${this.#start}${this.#sealed(withTime(text, writtenS))}; Max-Age=${maxAge}${attributes}`;
  }

  /** True when the session of a cookie with this time, -1 for none, is over. Clients that ignore `Max-Age` send such cookies. */
  isOver(timeS: number, nowUnixMs: number): boolean {
    if (!this.#isTimed || timeS < 0) return false;
    const allowedS = this.#cookie.lifetime.ends === 'idle' ? this.#idleS : this.#afterS;
    return nowUnixMs / 1_000 - timeS > allowedS;
  }

  /**
   * True when a cookie of the request is replaced although its session stays. It has an earlier name or lifetime, or its idle
   * time has to begin anew.
   */
  isDue(name: string, timeS: number, nowUnixMs: number): boolean {
    if (name !== this.#cookie.name || timeS >= 0 !== this.#isTimed) return true;
    return this.#cookie.lifetime.ends === 'idle' && nowUnixMs / 1_000 - timeS >= this.#afterS * RENEWAL_RATIO;
  }

  /** Removes the cookie. */
  removal(isSecure: boolean): string {
    return `${this.#start}; Max-Age=0${this.attributes(isSecure)}`;
  }

  /** Removes the cookie of an earlier name. */
  removalOf(earlierName: string, isSecure: boolean): string {
    return `${earlierName}${this.#earlierEnd}${isSecure ? '; Secure' : ''}`;
  }

  #sealed(text: string): string {
    return this.#seal === undefined ? text : `${text}.${this.#seal.sealOf(text)}`;
  }
}

function attributesOf(cookie: RouteCookie, context: ContextPath, isSecure: boolean): string {
  const { domain, path, sameSite, partitioned } = cookie;
  const domainText = domain === '' ? '' : `; Domain=${domain}`;
  const isPartitioned = partitioned && isSecure;
  return `; Path=${path || context}${domainText}; HttpOnly; SameSite=${sameSite}${isSecure ? '; Secure' : ''}${isPartitioned ? '; Partitioned' : ''}`;
}
