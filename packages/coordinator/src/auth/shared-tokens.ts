/**
 * Shares the stored tokens with the other coordinators, as records `token/ID`. Tokens that were given at the start are not shared.
 *
 * ```
 *   API ──▶ Tokens ── follow ──▶ records token/ID ──▶ other coordinators
 *              ▲                        │
 *              └───────── take ─────────┘
 * ```
 *
 * A record has digests, never a secret. The expiry of the token is its timer `until`, and the end of earlier secrets its timer `deadline`. So
 * both travel as durations that remain, and an expired token stays in the list until it is revoked, as at a single coordinator.
 */
import type { Remaining, SharedPart, SharedRecord } from '@rollcall/core';
import { isObject } from '@rollcall/protocol';
import type { Logger } from 'pino';
import type { Clocks } from '../clocks.ts';
import type { Sharing } from '../sync/shared-sync.ts';
import { isTokenId, readSecond } from './token-file.ts';
import type { TokenRecord } from './token-record.ts';
import { isReserved, type Tokens } from './tokens.ts';

/** Kind of the records. */
const KIND = 'token';
/** Name of the record that exists once a join token was revoked. */
const JOIN_NEEDED = 'join-needed';

export interface SharedTokensOptions {
  readonly tokens: Tokens;
  readonly sync: { share(kind: string, part: SharedPart): Sharing };
  readonly clocks: Pick<Clocks, 'nowUnixMs'>;
  readonly logger: Pick<Logger, 'warn'>;
  /** Called when other coordinators have changed tokens: their connections have to be checked, and `files` written. */
  readonly onChange: () => void;
}

/** What `follow` has shared. */
export interface SharedChanges {
  /** Keys of the changed records. */
  readonly keys: readonly string[];
  /** Names of tokens that are too long to be shared. */
  readonly tooLong: readonly string[];
}

export class SharedTokens {
  readonly #options: SharedTokensOptions;
  readonly #sharing: Sharing;
  /** The tokens at the last `follow` or `take`, by id. */
  #seen: ReadonlyMap<string, TokenRecord>;
  /** Ids of tokens from before they were shared: others may have changed or revoked them. */
  readonly #unshared = new Set<string>();
  /** Tokens of others that exceed the maximum here, by id. */
  #left: ReadonlyMap<string, TokenRecord> = new Map();
  readonly #unreadable = new Set<string>();

  /** Call it before the sync starts. */
  constructor(options: SharedTokensOptions) {
    const { tokens, sync } = options;
    this.#options = options;
    this.#seen = byId(tokens.stored);
    for (const { id } of tokens.stored) this.#unshared.add(id);
    this.#sharing = sync.share(KIND, {
      isKept: true,
      take: (records) => this.#take(records),
      complete: () => this.#complete(),
    });
  }

  /** Shares what the API has changed since the last call. Call it after each change. */
  follow(): SharedChanges {
    const before = this.#seen;
    const now = byId(this.#options.tokens.stored);
    this.#seen = now;
    const keys: string[] = [];
    const tooLong: string[] = [];
    const shared = (id: string): void => {
      this.#unshared.delete(id);
      keys.push(this.#sharing.key(id));
    };
    // A replacement is written before the end of what it replaces: without it, the nodes of the token would leave.
    for (const [id, record] of now)
      if (before.get(id) !== record) {
        if (this.#put(record)) shared(id);
        else tooLong.push(record.name);
      }
    for (const id of before.keys()) {
      if (now.has(id)) continue;
      const next = [...now.values()].find(({ earlierIds = [] }) => earlierIds.includes(id));
      if (next === undefined) this.#sharing.delete(id, true);
      else this.#sharing.put(id, { replacedBy: next.id });
      shared(id);
    }
    this.#shareNeed();
    return { keys, tooLong };
  }

  #take(records: readonly SharedRecord[]): void {
    const { tokens, onChange } = this.#options;
    this.follow();
    const put = new Map(this.#left);
    const revoked = new Set<string>();
    const replaced = new Set<string>();
    for (const record of records) {
      const id = record.key.slice(`${KIND}/`.length);
      this.#unshared.delete(id);
      put.delete(id);
      if (id === JOIN_NEEDED) tokens.needJoinToken();
      else if (record.value === null) revoked.add(id);
      else if (isObject(record.value) && 'replacedBy' in record.value) replaced.add(id);
      else {
        const token = this.#tokenOf(id, record);
        if (token !== undefined) put.set(id, token);
      }
    }
    // A token that one coordinator has rotated and another one has revoked is revoked.
    for (const { id, earlierIds = [] } of [...tokens.stored, ...put.values()]) {
      if (!earlierIds.some((earlier) => this.#sharing.get(earlier)?.value === null)) continue;
      revoked.add(id);
      this.#sharing.delete(id, true);
    }
    const left = tokens.take({ put: [...put.values()], revoked, replaced });
    for (const { name, id } of left)
      if (!this.#left.has(id)) this.#warn(`the token ${name} of another coordinator is not in force: too many tokens`);
    this.#left = byId(left);
    this.#seen = byId(tokens.stored);
    onChange();
  }

  /** Shares tokens from before the start that neither another coordinator nor the own file has. */
  #complete(): void {
    for (const record of this.#options.tokens.stored)
      if (this.#unshared.has(record.id) && this.#sharing.get(record.id) === undefined && !this.#put(record))
        this.#warn(`the token ${record.name} is not shared with other coordinators: its bindings are too long`);
    this.#unshared.clear();
    this.#shareNeed();
  }

  #shareNeed(): void {
    if (this.#options.tokens.wasJoinToken) this.#sharing.put(JOIN_NEEDED, true);
  }

  #put(record: TokenRecord): boolean {
    const { name, earlierIds, role, digests, bindings, certificate, createdAtMs, expiresAtMs } = record;
    const nowUnixMs = this.#options.clocks.nowUnixMs();
    const valid = digests.filter(({ untilUnixMs = Number.POSITIVE_INFINITY }) => untilUnixMs > nowUnixMs);
    const ends = valid.map(({ untilUnixMs }) => untilUnixMs).filter((end) => end !== undefined);
    const value = {
      name,
      earlierIds,
      role,
      secrets: valid.map(({ sha256, untilUnixMs }) => ({
        sha256: sha256.toString('hex'),
        ...(untilUnixMs !== undefined && { isEarlier: true }),
      })),
      bindings,
      certificate,
      createdAtUnixMs: createdAtMs,
    };
    const remaining: Remaining = {
      ...(expiresAtMs !== undefined && { until: expiresAtMs - nowUnixMs }),
      ...(ends.length > 0 && { deadline: Math.max(...ends) - nowUnixMs }),
    };
    return this.#sharing.put(record.id, value, remaining);
  }

  /** The token of a record; `undefined` if it cannot be read here. */
  #tokenOf(id: string, { key, value, remaining: { until, deadline } }: SharedRecord): TokenRecord | undefined {
    const nowUnixMs = this.#options.clocks.nowUnixMs();
    const { secrets = [], ...rest } = isObject(value) ? value : {};
    const entry = {
      ...rest,
      id,
      secrets: (Array.isArray(secrets) ? secrets : [undefined]).map((secret: unknown) => {
        const { sha256, isEarlier } = isObject(secret) ? secret : {};
        return { sha256, ...(isEarlier === true && { untilUnixMs: Math.floor(nowUnixMs + (deadline ?? 0)) }) };
      }),
      expiresAtUnixMs: until === undefined ? undefined : Math.floor(nowUnixMs + until),
    };
    const token = isTokenId(id) ? readSecond(entry) : undefined;
    if (token !== undefined && !isReserved(token)) return token;
    if (this.#unreadable.has(key) || this.#unreadable.size === MAX_UNREADABLE) return undefined;
    this.#unreadable.add(key);
    this.#warn(`the shared record ${key} is no token that this release can read`);
    return undefined;
  }

  #warn(text: string): void {
    this.#options.logger.warn(text);
  }
}

/** Upper bound of the unreadable records that are remembered, so that each is logged once. */
const MAX_UNREADABLE = 1_000;

function byId(records: readonly TokenRecord[]): ReadonlyMap<string, TokenRecord> {
  return new Map(records.map((record) => [record.id, record]));
}
