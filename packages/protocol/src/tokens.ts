/** Tokens as the admin API shows and takes them. All instants are wall clock Unix milliseconds. */
import type { Role } from './admin.ts';

/** Fewest characters of a token that is given by an operator; made ones have 43 (256 bits). */
export const MIN_TOKEN_CHARACTERS = 16;
/** Most entries of one list in `TokenBindings`. */
export const MAX_BINDING_ENTRIES = 64;
/** Longest life of a token, milliseconds: ten years. */
export const MAX_TOKEN_MS = 315_360_000_000;
/** Longest time for which the earlier secret stays valid after a rotation, milliseconds: 30 days. */
export const MAX_OVERLAP_MS = 2_592_000_000;
/** The same, when the request names none, milliseconds. */
export const DEFAULT_OVERLAP_MS = 3_600_000;

/** Why a token is refused, and how a good one is made. `source` is the variable or file that it came from. */
export function shortTokenText(source: string, token: string): string {
  return `${source} has ${token.length} characters; a token needs ${MIN_TOKEN_CHARACTERS} or more, for example from \`openssl rand -hex 16\``;
}

/** What the holder of a token may do with it. A field that is absent binds nothing; all fields that are present must hold. */
export interface TokenBindings {
  /** Balancers that its nodes may join. */
  readonly balancers?: readonly string[];
  /** Hosts that its nodes may serve. `*.example.net` includes every host below it, `*` all. */
  readonly hosts?: readonly string[];
  /** Contexts that its nodes may serve, with all below them. */
  readonly contexts?: readonly string[];
  /** Ids that its nodes may have. `*` stands for any characters, none included. */
  readonly nodeIds?: readonly string[];
  /** Addresses and CIDR ranges of peers that may use the token, for any role. */
  readonly addresses?: readonly string[];
  /** Most nodes that are present at once. */
  readonly nodes?: number;
  /** Largest weight that its nodes may announce, 0.001 to 100. */
  readonly maxWeight?: number;
}

/** One token, without its secrets. */
export interface TokenResource {
  /** Owns node ids, so a secret may change while the name and its nodes stay. */
  readonly name: string;
  readonly id: string;
  readonly role: Role;
  /** `stored`: made through the API or written to tokens.json. `given`: from the environment or a file of the operator. */
  readonly source: 'stored' | 'given';
  /** Secrets that are valid now: 0 when the token has expired, 2 during a rotation. */
  readonly secrets: number;
  /** End of the earlier of two secrets. */
  readonly overlapEndsAtUnixMs?: number;
  readonly bindings?: TokenBindings;
  /** Common name, or DNS or URI name, of a client certificate that counts as this token. */
  readonly certificate?: string;
  readonly createdAtUnixMs?: number;
  readonly expiresAtUnixMs?: number;
  /** Nodes of this token name that are present. */
  readonly nodes: number;
}

/** Body of `POST /v1/tokens`. */
export interface TokenCreate {
  readonly name: string;
  readonly role: Role;
  readonly bindings?: TokenBindings;
  /** Absent: the token does not expire. 1,000 to `MAX_TOKEN_MS`. */
  readonly expiresInMs?: number;
  readonly certificate?: string;
  readonly reason?: string;
}

/** Body of `PATCH /v1/tokens/:name`. Absent fields stay as they are; `null` removes one. */
export interface TokenPatch {
  readonly bindings?: { readonly [Key in keyof TokenBindings]?: TokenBindings[Key] | null };
  readonly expiresInMs?: number | null;
  readonly certificate?: string | null;
  readonly reason?: string;
}

/** Body of `POST /v1/tokens/:name/rotate`. */
export interface TokenRotate {
  /** How long the earlier secret stays valid. Default `DEFAULT_OVERLAP_MS`; 0 ends it at once. */
  readonly overlapMs?: number;
  readonly reason?: string;
}

/** Answer to each change of a token. */
export interface TokenResult {
  readonly token: TokenResource;
  /** The new secret, shown this once; after a creation or a rotation only. */
  readonly secret?: string;
  readonly message: string;
  readonly note?: string;
}

/** Answer of `GET /v1/tokens`. */
export interface TokenList {
  readonly tokens: readonly TokenResource[];
  /** Name to continue after; absent: these are the last. */
  readonly next?: string;
}
