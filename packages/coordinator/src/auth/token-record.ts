/** One token as it is kept and found. */
import type { Role, TokenBindings } from '@rollcall/protocol';

/** SHA-256 of one secret of a token. */
export interface TokenDigest {
  readonly sha256: Buffer;
  /** End of this secret, wall clock. Absent: as long as the token. */
  readonly untilUnixMs?: number;
}

/** The name owns node ids, so a secret may change while the name and its nodes stay. */
export interface TokenRecord {
  readonly name: string;
  /** Random; another token of the same name has another one. */
  readonly id: string;
  readonly role: Role;
  /** Newest first, at most two. */
  readonly digests: readonly TokenDigest[];
  readonly bindings?: TokenBindings;
  /** End of the token, wall clock, Unix milliseconds. Absent: it has none. */
  readonly expiresAtMs?: number;
  /** Common name, or DNS or URI name, of a client certificate that counts as this token. */
  readonly certificate?: string;
  /** Wall clock, Unix milliseconds. Absent for tokens that were given. */
  readonly createdAtMs?: number;
}

/** True when the token, or this secret of it, has ended at `nowUnixMs`. */
export function hasEnded({ expiresAtMs }: TokenRecord, digest: TokenDigest | undefined, nowUnixMs: number): boolean {
  return (
    Math.min(expiresAtMs ?? Number.POSITIVE_INFINITY, digest?.untilUnixMs ?? Number.POSITIVE_INFINITY) <= nowUnixMs
  );
}
