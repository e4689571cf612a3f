/** Tokens in answers and bodies of the admin API. All instants are wall clock Unix milliseconds. */
import type { AppliedResource, Role } from './admin.ts';

/** Fewest characters of a token that an operator provides; generated tokens have 43 (256 bits). */
export const MIN_TOKEN_CHARACTERS = 16;
/** Most entries of one list in `TokenBindings`. */
export const MAX_BINDING_ENTRIES = 64;
/** Longest life of a token, milliseconds: ten years. */
export const MAX_TOKEN_MS = 315_360_000_000;
/** Longest time for which the earlier secret stays valid after a rotation, milliseconds: 30 days. */
export const MAX_OVERLAP_MS = 2_592_000_000;
/** Default time for which the earlier secret stays valid after a rotation, milliseconds: 1 h. */
export const DEFAULT_OVERLAP_MS = 3_600_000;

/** Error text for a token that is too short, with a command that generates one. `source`: variable or file of the token. */
export function shortTokenText(source: string, token: string): string {
  return `${source} has ${token.length} characters; a token needs ${MIN_TOKEN_CHARACTERS} or more, for example from \`openssl rand -hex 16\``;
}

/** Environment variables, by name. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Error text for a secret without a value although its variable `name`, or `name_FILE`, is set; `consequence` ends the sentence.
 * `undefined` when neither variable is set, or one of them has a value.
 */
export function emptySecretText(name: string, environment: Environment, consequence: string): string | undefined {
  const names = [name, `${name}_FILE`].filter((each) => environment[each] !== undefined);
  if (names.length === 0 || names.some((each) => environment[each]?.trim())) return undefined;
  return `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} set but empty: ${consequence}`;
}

/** Restrictions on the use of a token. An absent field does not restrict; all fields that are present must hold. */
export interface TokenBindings {
  /** Balancers that its nodes may join. */
  readonly balancers?: readonly string[];
  /** Hosts that its nodes may serve. `*.example.net` includes every host below it, `*` all. */
  readonly hosts?: readonly string[];
  /** Contexts that its nodes may serve, including all paths below them. */
  readonly contexts?: readonly string[];
  /** Ids that its nodes may have. `*` matches any characters, including none. */
  readonly nodeIds?: readonly string[];
  /** Addresses and CIDR ranges of peers that may use the token, for any role. */
  readonly addresses?: readonly string[];
  /** Largest number of nodes that are present at once. */
  readonly nodes?: number;
  /** Largest weight that its nodes may announce, 0.001 to 100. */
  readonly maxWeight?: number;
}

/** One token, without its secrets. */
export interface TokenResource {
  /** Owner of node ids: a secret may change while the name and its nodes stay. */
  readonly name: string;
  readonly id: string;
  readonly role: Role;
  /** `stored`: created by the API or written to tokens.json. `given`: from the environment or a file of the operator. */
  readonly source: 'stored' | 'given';
  /** Number of secrets that are valid now: 0 when the token has expired, 2 during a rotation. */
  readonly secrets: number;
  /** Instant at which the earlier of two secrets expires. */
  readonly overlapEndsAtUnixMs?: number;
  readonly bindings?: TokenBindings;
  /** Common name, or DNS or URI name, of a client certificate that is equivalent to this token. */
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
  /** Validity in milliseconds, 1,000 to `MAX_TOKEN_MS`. Absent: the token does not expire. */
  readonly expiresInMs?: number;
  readonly certificate?: string;
  readonly reason?: string;
  /** Check and report, change nothing. */
  readonly dryRun?: boolean;
}

/** Body of `PATCH /v1/tokens/:name`. Absent fields stay as they are; `null` removes one. */
export interface TokenPatch {
  readonly bindings?: { readonly [Key in keyof TokenBindings]?: TokenBindings[Key] | null };
  readonly expiresInMs?: number | null;
  readonly certificate?: string | null;
  readonly reason?: string;
  /** Check and report, change nothing. */
  readonly dryRun?: boolean;
}

/** Body of `POST /v1/tokens/:name/rotate`. */
export interface TokenRotate {
  /** Milliseconds for which the earlier secret stays valid. Default `DEFAULT_OVERLAP_MS`; 0 ends it at once. */
  readonly overlapMs?: number;
  readonly reason?: string;
  /** Check and report, change nothing. */
  readonly dryRun?: boolean;
}

/** Body of `DELETE /v1/tokens/:name`. */
export interface TokenRevoke {
  readonly reason?: string;
  /** Check and report, change nothing. */
  readonly dryRun?: boolean;
}

/** Answer to a write that creates, changes, rotates or revokes a token. */
export interface TokenResult {
  /** For the audit, and `POST /v1/undo` if it can be undone; absent when nothing has changed. */
  readonly changeId?: string;
  readonly token: TokenResource;
  /** New secret, after a creation or a rotation only. It is not shown again. */
  readonly secret?: string;
  /** Nodes that leave the cluster because of the change; `message` names some of them. */
  readonly leaving: number;
  readonly isDryRun: boolean;
  readonly message: string;
  /** Where the change is in force; absent for the only coordinator of a cluster, and for a dry run. */
  readonly coordinators?: AppliedResource;
  readonly note?: string;
}

/** Answer of `GET /v1/tokens`. */
export interface TokenList {
  readonly tokens: readonly TokenResource[];
  /** Name after which the next page begins; absent: this is the last page. */
  readonly next?: string;
}
