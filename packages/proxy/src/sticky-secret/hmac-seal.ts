/** The seal of the proxy's cookie: an HMAC with the secrets of `--sticky-secret-file`. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { CookieSeal } from '@rollcall/core';
import type { StickySecrets } from './secret-file.ts';

/** Octets kept of the MAC: 128 bits. */
const SEAL_BYTES = 16;
/** Characters of a seal: those octets in base64url. */
const SEAL_CHARACTERS = 22;
/** Maximum number of remembered valid seals; half of them are dropped at a time. */
const MAX_REMEMBERED = 10_000;

/**
 * HMAC-SHA-256 over `id.route`, truncated. A browser sends the same cookie with each request, so valid seals are remembered.
 * An invalid seal costs two MACs.
 */
export class HmacSeal implements CookieSeal {
  #secrets: StickySecrets;
  /** Texts with their valid seals, in two generations. */
  #recent = new Map<string, string>();
  #older = new Map<string, string>();

  constructor(secrets: StickySecrets) {
    this.#secrets = secrets;
  }

  /** Replaces the secrets. A seal of neither of them is no longer valid. */
  set secrets(secrets: StickySecrets) {
    this.#secrets = secrets;
    this.#recent = new Map();
    this.#older = new Map();
  }

  sealOf(text: string): string {
    return macOf(this.#secrets.current, text).toString('base64url');
  }

  isSealOf(text: string, seal: string): boolean {
    if (seal.length !== SEAL_CHARACTERS) return false;
    if (this.#recent.get(text) === seal || this.#older.get(text) === seal) return true;
    const octets = Buffer.from(seal, 'base64url');
    if (octets.length !== SEAL_BYTES) return false;
    const { current, previous } = this.#secrets;
    const isGood =
      timingSafeEqual(octets, macOf(current, text)) ||
      (previous !== undefined && timingSafeEqual(octets, macOf(previous, text)));
    if (isGood) this.#remember(text, seal);
    return isGood;
  }

  #remember(text: string, seal: string): void {
    if (this.#recent.size >= MAX_REMEMBERED / 2) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(text, seal);
  }
}

function macOf(secret: string, text: string): Buffer {
  return createHmac('sha256', secret).update(text).digest().subarray(0, SEAL_BYTES);
}
