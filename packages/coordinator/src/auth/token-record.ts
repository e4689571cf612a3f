/** Stored form of one token. */
import type { Role, TokenBindings } from '@rollcall/protocol';

/** SHA-256 of one secret of a token. */
export interface TokenDigest {
  readonly sha256: Buffer;
  /** Expiry of this secret, wall clock. Absent: that of the token. */
  readonly untilUnixMs?: number;
}

/** The name owns node ids, so a secret may change while the name and its nodes stay. */
export interface TokenRecord {
  readonly name: string;
  /** Random. A later token of the same name has another id, and so has a token after its rotation. */
  readonly id: string;
  /** Ids of this token before its rotations, the newest first, at most 16. Absent: it was not rotated. */
  readonly earlierIds?: readonly string[];
  readonly role: Role;
  /** Newest first; at most two, unless several coordinators or a file had more under this name. */
  readonly digests: readonly TokenDigest[];
  readonly bindings?: TokenBindings;
  /** Expiry of the token, wall clock, Unix milliseconds. Absent: it does not expire. */
  readonly expiresAtMs?: number;
  /** Common name, or DNS or URI name, of a client certificate that stands for this token. */
  readonly certificate?: string;
  /** Wall clock, Unix milliseconds. Absent for tokens given at start. */
  readonly createdAtMs?: number;
}

/** True if the token, or this secret of it, has expired at `nowUnixMs`. */
export function hasEnded({ expiresAtMs }: TokenRecord, digest: TokenDigest | undefined, nowUnixMs: number): boolean {
  return (
    Math.min(expiresAtMs ?? Number.POSITIVE_INFINITY, digest?.untilUnixMs ?? Number.POSITIVE_INFINITY) <= nowUnixMs
  );
}
