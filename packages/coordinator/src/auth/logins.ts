/**
 * The browser's way in: a one-time link that the command line prints, and the cookie it is changed for. The cookie is signed
 * rather than remembered, so a restarted coordinator still knows its visitors; a new admin token logs everybody out.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clocks } from '../clocks.ts';
import type { Tokens } from './tokens.ts';

/** How long an unused link works, milliseconds. */
const LINK_MS = 3_600_000;
/** How long a login lasts, milliseconds. */
export const LOGIN_MS = 43_200_000;
/** Unused links kept; the oldest goes first. */
const MAX_LINKS = 100;

export class Logins {
  readonly #key: Buffer;
  readonly #clocks: Clocks;
  readonly #codes = new Map<string, number>();

  constructor(tokens: Tokens, clocks: Clocks) {
    this.#key = tokens.loginKey;
    this.#clocks = clocks;
  }

  /** A new one-time code for the login page. */
  newCode(): string {
    const code = randomBytes(24).toString('base64url');
    this.#codes.set(code, this.#clocks.nowMs() + LINK_MS);
    if (this.#codes.size > MAX_LINKS) this.#codes.delete(this.#codes.keys().next().value!);
    return code;
  }

  /** Changes a code for the value of the login cookie; `undefined` when it is unknown, used or too old. */
  redeem(code: string): string | undefined {
    const expiresAtMs = this.#codes.get(code);
    this.#codes.delete(code);
    if (expiresAtMs === undefined || expiresAtMs < this.#clocks.nowMs()) return undefined;
    const claim = `${Math.floor(this.#clocks.nowUnixMs() + LOGIN_MS)}.${randomBytes(12).toString('base64url')}`;
    return `${claim}.${this.#sign(claim).toString('base64url')}`;
  }

  /** True for a cookie value that `redeem` gave out within the last twelve hours. */
  isValid(cookie: string): boolean {
    if (cookie.length > 256) return false;
    const end = cookie.lastIndexOf('.');
    if (end < 0) return false;
    const claim = cookie.slice(0, end);
    const signature = Buffer.from(cookie.slice(end + 1), 'base64url');
    const expected = this.#sign(claim);
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) return false;
    const expiresAtUnixMs = Number(claim.slice(0, claim.indexOf('.')));
    return expiresAtUnixMs > this.#clocks.nowUnixMs();
  }

  #sign(claim: string): Buffer {
    return createHmac('sha256', this.#key).update(claim).digest();
  }
}
