/**
 * Authorization by bearer token. Tokens are stored as SHA-256 digests in `tokens.json`. Only the admin token is also stored in
 * clear, in `admin-token`, which only its owner can read. The command line on the same machine reads it there.
 *
 * Changes are in force when the call returns; `files` then contains the texts to write.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import type { Fault, Role, TokenBindings } from '@rollcall/protocol';
import { MIN_TOKEN_CHARACTERS, shortTokenText } from '@rollcall/protocol';
import { type Clocks, systemClocks } from '../clocks.ts';
import { readIfThere, replaceFile } from '../files/whole-file.ts';
import { MAX_EARLIER_IDS, MAX_TOKENS, newTokenId, readTokenFile, tokenFileText } from './token-file.ts';
import { hasEnded, type TokenDigest, type TokenRecord } from './token-record.ts';

export type { TokenDigest, TokenRecord } from './token-record.ts';

/** Given tokens in clear; each is optional. */
export interface GivenTokens {
  readonly joinToken?: string;
  readonly adminToken?: string;
  readonly feedToken?: string;
  /** For nodes of the program that starts the coordinator. It does not make tokens mandatory for other agents. */
  readonly ownNodeToken?: string;
}

/** A token and its presented secret. */
export interface ShownToken {
  readonly record: TokenRecord;
  readonly digest: TokenDigest;
}

/** A token with its new secret, which is not stored. */
export interface NewSecret {
  readonly record: TokenRecord;
  readonly secret: string;
}

/** The fields of a new token, except its secret. */
export interface TokenSpec {
  readonly name: string;
  readonly role: Role;
  readonly bindings?: TokenBindings;
  readonly expiresAtMs?: number;
  readonly certificate?: string;
}

/** Fields to change; `undefined` as a value removes one. */
export interface TokenChange {
  readonly bindings?: TokenBindings | undefined;
  readonly expiresAtMs?: number | undefined;
  readonly certificate?: string | undefined;
}

/** Upper bound of the length of a token, characters. */
const MAX_TOKEN_LENGTH = 512;
const SECRET_BYTES = 32;
/** Name of the join token, and owner of agents without a token: they must not be locked out by the first token of a cluster. */
export const JOIN_NAME = 'join';
/** Name of the admin token. */
export const ADMIN_NAME = 'admin';
const FEED_NAME = 'feed';
/** Names that tokens of the API cannot have, because they have another meaning in the audit and as owners of ids. */
const RESERVED: ReadonlySet<string> = new Set([ADMIN_NAME, FEED_NAME, 'loopback']);
/** True for a name that no token of the API may have with this role. */
export function isReserved({ name, role }: Pick<TokenSpec, 'name' | 'role'>): boolean {
  return RESERVED.has(name) || (name === JOIN_NAME && role !== 'join');
}

/** What other coordinators have changed. */
export interface TokenNews {
  readonly put: readonly TokenRecord[];
  /** Ids of revoked tokens. */
  readonly revoked: ReadonlySet<string>;
  /** Ids of tokens that a rotation has replaced. */
  readonly replaced: ReadonlySet<string>;
}

const NO_DIGEST = Buffer.alloc(32);

interface Loaded {
  readonly path: string;
  /** Tokens in tokens.json, except the admin token. */
  readonly stored: readonly TokenRecord[];
  readonly admin: TokenRecord | undefined;
  readonly given: readonly TokenRecord[];
  /** Given token for nodes of the program that starts the coordinator. */
  readonly ownNodes: TokenRecord | undefined;
  readonly wasJoinToken: boolean;
  readonly problems: readonly string[];
  readonly isUnread: boolean;
  readonly isUnwritten: boolean;
}

export class Tokens {
  readonly #clocks: Clocks;
  readonly #path: string;
  readonly #admin: TokenRecord | undefined;
  readonly #given: readonly TokenRecord[];
  readonly #ownNodes: TokenRecord | undefined;
  /** By id: in a file that was written by hand, and of coordinators that could not share, several may have one name. */
  readonly #stored = new Map<string, TokenRecord>();
  readonly #byDigest = new Map<string, ShownToken>();
  readonly #byId = new Map<string, TokenRecord>();
  readonly #byCertificate = new Map<string, TokenRecord>();
  /** tokens.json could not be read, so it may contain unknown tokens. */
  readonly isUnread: boolean;
  #wasJoinToken: boolean;
  #revision = 0;
  /** Names of revoked tokens that `takeEndedNames` has not returned yet. */
  #revoked = new Set<string>();
  /** Failed reads and writes, as sentences. */
  readonly problems: readonly string[];
  /** Texts that could not be written, by path. While `isUnread` they must not replace a file. */
  readonly unwritten: ReadonlyMap<string, string>;
  /** Key for data that stays valid over a restart but not over a change of the admin token. */
  readonly loginKey: Buffer;

  constructor(loaded: Loaded, clocks: Clocks) {
    const { path, stored, admin, given, ownNodes, wasJoinToken, problems, isUnread, isUnwritten } = loaded;
    this.#clocks = clocks;
    this.#path = path;
    this.#admin = admin;
    this.#given = given;
    this.#ownNodes = ownNodes;
    this.#wasJoinToken = wasJoinToken;
    for (const record of stored) this.#stored.set(record.id, record);
    this.isUnread = isUnread;
    this.problems = problems;
    this.unwritten = isUnwritten ? this.files : new Map();
    this.loginKey = createHash('sha256')
      .update('rollcall login ')
      .update(admin?.digests[0]?.sha256 ?? randomBytes(32))
      .digest();
    this.#index();
  }

  /** Increases with each change. */
  get revision(): number {
    return this.#revision;
  }

  /** True if a valid token admits agents other than own nodes. */
  get canJoin(): boolean {
    const nowUnixMs = this.#clocks.nowUnixMs();
    return this.#joining().some((record) => !hasEnded(record, undefined, nowUnixMs));
  }

  /** True if agents on this machine need a token too: a token admits agents, or did until it expired or was revoked. */
  get isJoinTokenNeeded(): boolean {
    return this.#wasJoinToken || this.#joining().length > 0;
  }

  /** All listed tokens, by name. */
  get records(): readonly TokenRecord[] {
    const all = [...this.#stored.values(), ...this.#listed()];
    return all.sort((one, other) => (one.name < other.name ? -1 : Number(one.name > other.name)));
  }

  /** Texts that must be on disk now, by path. */
  get files(): ReadonlyMap<string, string> {
    const tokens = [...this.#stored.values(), ...(this.#admin ? [this.#admin] : [])];
    const file = { tokens, wasJoinToken: this.#wasJoinToken };
    return new Map([[this.#path, tokenFileText(file, this.#clocks.nowUnixMs())]]);
  }

  /** Tokens that the API can change, in order of their ids. */
  get stored(): readonly TokenRecord[] {
    return [...this.#stored.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  /** A join token was revoked, so that agents need one. */
  get wasJoinToken(): boolean {
    return this.#wasJoinToken;
  }

  /** True for tokens that the API can change. */
  isStored({ id }: TokenRecord): boolean {
    return this.#stored.has(id);
  }

  /**
   * The token of a secret. Errors: `unauthenticated`. Compares SHA-256 digests, so the cost does not depend on the number of
   * tokens, and the time does not reveal a part of a secret.
   */
  lookUp(secret: string): ShownToken | Fault {
    const digest = digestOf(secret.slice(0, MAX_TOKEN_LENGTH + 1));
    const shown = this.#byDigest.get(digest.toString('hex'));
    const isSame = timingSafeEqual(shown?.digest.sha256 ?? NO_DIGEST, digest);
    if (!shown || !isSame || secret.length > MAX_TOKEN_LENGTH) return unauthenticated('the token is unknown');
    return this.#ended(shown.record, shown.digest) ?? shown;
  }

  /** The record of a secret that is valid now. */
  find(secret: string): TokenRecord | undefined {
    const shown = this.lookUp(secret);
    return 'code' in shown ? undefined : shown.record;
  }

  /** The token that a client certificate with this name stands for, unless it has expired. */
  findByCertificate(name: string): TokenRecord | undefined {
    const record = this.#byCertificate.get(name);
    return record && !hasEnded(record, undefined, this.#clocks.nowUnixMs()) ? record : undefined;
  }

  /** The token of this name, unless it has expired. */
  findByName(name: string): TokenRecord | undefined {
    for (const record of this.#byId.values())
      if (record.name === name && !hasEnded(record, undefined, this.#clocks.nowUnixMs())) return record;
    return undefined;
  }

  /** The present record; `undefined` if the token was revoked. */
  current({ id }: TokenRecord): TokenRecord | undefined {
    return this.#byId.get(id);
  }

  /**
   * The fault if a token, or its presented secret, is no longer valid; `undefined` while it is. Without a secret, its certificate was
   * presented. Error: `unauthenticated`.
   */
  standing({ id, name, certificate }: TokenRecord, shown: TokenDigest | undefined): Fault | undefined {
    const record = this.#byId.get(id);
    if (!record) return unauthenticated(`the token ${name} was revoked`);
    const digest = shown && record.digests.find(({ sha256 }) => sha256.equals(shown.sha256));
    if (shown && !digest) return unauthenticated(`this secret of the token ${name} was replaced`);
    if (!shown && certificate !== record.certificate)
      return unauthenticated(`the certificate ${certificate} does not count as the token ${name} any more`);
    return this.#ended(record, digest);
  }

  /** True if the token was revoked or has expired, so that none of its secrets is valid. */
  isOver(shown: TokenRecord): boolean {
    const record = this.#byId.get(shown.id);
    return record === undefined || hasEnded(record, undefined, this.#clocks.nowUnixMs());
  }

  /** A copy of the tokens for a dry run. Changes to it are not in force and must not be written. */
  trial(): Tokens {
    const [path, stored, admin, given] = [this.#path, [...this.#stored.values()], this.#admin, this.#given];
    const [ownNodes, wasJoinToken] = [this.#ownNodes, this.#wasJoinToken];
    const { problems, isUnread } = this;
    return new Tokens(
      { path, stored, admin, given, ownNodes, wasJoinToken, problems, isUnread, isUnwritten: false },
      this.#clocks,
    );
  }

  /** Like `endedNames`; the next call does not return the revoked names again. */
  takeEndedNames(): ReadonlySet<string> {
    const names = this.endedNames;
    this.#revoked = new Set();
    return names;
  }

  /**
   * Names of tokens that have expired, or were revoked since `takeEndedNames`, and without a valid token of the same name. The common
   * name is never included, because it also owns nodes of agents without a token.
   */
  get endedNames(): ReadonlySet<string> {
    const names = new Set(this.#revoked);
    const nowUnixMs = this.#clocks.nowUnixMs();
    for (const record of this.#stored.values()) if (hasEnded(record, undefined, nowUnixMs)) names.add(record.name);
    if (names.size === 0) return names;
    for (const record of this.#byId.values()) if (!hasEnded(record, undefined, nowUnixMs)) names.delete(record.name);
    names.delete(JOIN_NAME);
    return names;
  }

  /** The next instant after `nowUnixMs` at which a token or a secret expires; infinite if none does. */
  nextEndUnixMs(nowUnixMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { expiresAtMs, digests } of this.#stored.values())
      for (const end of [expiresAtMs, ...digests.map(({ untilUnixMs }) => untilUnixMs)])
        if (end !== undefined && end > nowUnixMs && end < next) next = end;
    return next;
  }

  /** Creates a token. Errors: `conflict` for a name or a certificate of another token, and for too many tokens. */
  create(spec: TokenSpec): NewSecret | Fault {
    const { name } = spec;
    if (isReserved(spec)) return conflict(`the name ${name} is reserved; use another`);
    if (this.records.some((record) => record.name === name))
      return conflict(`there is a token ${name} already; rotate or revoke it, or use another name`);
    if (this.#stored.size >= MAX_TOKENS - 1)
      return conflict(`there are ${this.#stored.size} tokens, the maximum; revoke some`);
    const fault = this.#unreadFault() ?? this.#certificateFault(spec.certificate, undefined);
    if (fault) return fault;
    const { secret, digest } = newSecret();
    const createdAtMs = Math.floor(this.#clocks.nowUnixMs());
    const record: TokenRecord = { ...spec, id: newTokenId(), digests: [digest], createdAtMs };
    this.#put(record);
    return { record, secret };
  }

  /** Changes the bindings, expiry or certificate of a token. Errors: `not-found`, `conflict`. */
  change(name: string, change: TokenChange): TokenRecord | Fault {
    const record = this.#changeable(name);
    if ('code' in record) return record;
    const fault = this.#certificateFault(change.certificate, record);
    if (fault) return fault;
    const entries = Object.entries({ ...record, ...change }).filter(([, value]) => value !== undefined);
    const changed = Object.fromEntries(entries) as unknown as TokenRecord;
    this.#put(changed);
    return changed;
  }

  /** Ends a token at once. Errors: `not-found`, `conflict`. */
  revoke(name: string): TokenRecord | Fault {
    const record = this.#changeable(name);
    if ('code' in record) return record;
    for (const one of this.stored) if (one.name === name) this.#end(one);
    this.#changed();
    return record;
  }

  /** Takes what other coordinators have changed. Returns the tokens that exceed the maximum, and are not in force here. */
  take({ put, revoked, replaced }: TokenNews): readonly TokenRecord[] {
    for (const record of this.stored) {
      if (revoked.has(record.id)) this.#end(record);
      else if (replaced.has(record.id)) this.#stored.delete(record.id);
    }
    const left: TokenRecord[] = [];
    for (const record of put) {
      if (revoked.has(record.id) || replaced.has(record.id)) continue;
      if (this.#stored.has(record.id) || this.#stored.size < MAX_TOKENS - 1) this.#stored.set(record.id, record);
      else left.push(record);
    }
    this.#changed();
    return left;
  }

  /** Another coordinator has revoked a join token. */
  needJoinToken(): void {
    this.#wasJoinToken = true;
  }

  #end(record: TokenRecord): void {
    this.#revoked.add(record.name);
    if (record.role === 'join') this.#wasJoinToken = true;
    this.#stored.delete(record.id);
  }

  /**
   * Gives a token a new secret, and a new id. The previous secret stays valid for `overlapMs`; an older one ends now. Several tokens of this
   * name and role become one. Errors: `not-found`, `conflict`.
   */
  rotate(name: string, overlapMs: number): NewSecret | Fault {
    const record = this.#changeable(name);
    if ('code' in record) return record;
    const nowUnixMs = this.#clocks.nowUnixMs();
    const { secret, digest } = newSecret();
    const { role } = record;
    const same = this.stored.filter((one) => one.name === name && one.role === role);
    const untilUnixMs = Math.floor(nowUnixMs + overlapMs);
    const earlier = same.flatMap((one) => {
      const [before] = one.digests;
      // The expiry of a token also ends its secrets.
      const isValid = before !== undefined && overlapMs > 0 && !hasEnded(one, undefined, nowUnixMs);
      return isValid ? [{ sha256: before.sha256, untilUnixMs }] : [];
    });
    const earlierIds = same.flatMap((one) => [one.id, ...(one.earlierIds ?? [])]).slice(0, MAX_EARLIER_IDS);
    for (const { id } of same) this.#stored.delete(id);
    const rotated: TokenRecord = { ...record, id: newTokenId(), earlierIds, digests: [digest, ...earlier] };
    this.#put(rotated);
    return { record: rotated, secret };
  }

  #joining(): readonly TokenRecord[] {
    return [...this.#stored.values(), ...this.#given].filter(
      (record) => record.role === 'join' && record !== this.#ownNodes,
    );
  }

  /** Tokens besides the stored ones that users can name. */
  #listed(): readonly TokenRecord[] {
    return [...(this.#admin ? [this.#admin] : []), ...this.#given].filter((record) => record !== this.#ownNodes);
  }

  #unreadFault(): Fault | undefined {
    if (!this.isUnread) return undefined;
    return conflict(
      `${this.#path} could not be read at the start and would be overwritten; make it readable and restart`,
    );
  }

  #changeable(name: string): TokenRecord | Fault {
    const unread = this.#unreadFault();
    if (unread) return unread;
    const found = this.stored.find((record) => record.name === name);
    if (found) return found;
    if (name === ADMIN_NAME)
      return conflict(
        'the token admin is that of ROLLCALL_ADMIN_TOKEN or of the file admin-token in the state directory; change it there and restart',
      );
    if (this.#listed().some((given) => given.name === name))
      return conflict(
        name === JOIN_NAME
          ? 'the token join is that of ROLLCALL_JOIN_TOKEN or --token-dir; change it there and restart'
          : `the token ${name} belongs to \`rollcall up\` itself`,
      );
    return { code: 'not-found', message: `there is no token ${name.slice(0, 64)}` };
  }

  #certificateFault(certificate: string | undefined, own: TokenRecord | undefined): Fault | undefined {
    const holder = certificate === undefined ? undefined : this.#byCertificate.get(certificate);
    if (!holder || holder.id === own?.id) return undefined;
    return conflict(`the certificate ${certificate} counts as the token ${holder.name} already`);
  }

  #ended(record: TokenRecord, digest: TokenDigest | undefined): Fault | undefined {
    const nowUnixMs = this.#clocks.nowUnixMs();
    if (hasEnded(record, undefined, nowUnixMs)) return unauthenticated(`the token ${record.name} has expired`);
    if (!hasEnded(record, digest, nowUnixMs)) return undefined;
    return unauthenticated(`this secret of the token ${record.name} was replaced`);
  }

  #put(record: TokenRecord): void {
    this.#stored.set(record.id, record);
    this.#changed();
  }

  #changed(): void {
    this.#revision += 1;
    this.#index();
  }

  #index(): void {
    for (const map of [this.#byDigest, this.#byId, this.#byCertificate]) map.clear();
    const { stored } = this;
    // A connection that was opened with an earlier id continues with the token that replaced it.
    for (const record of stored) for (const id of record.earlierIds ?? []) this.#byId.set(id, record);
    for (const record of [...this.#given, ...(this.#admin ? [this.#admin] : []), ...stored]) {
      this.#byId.set(record.id, record);
      if (record.certificate !== undefined) this.#byCertificate.set(record.certificate, record);
      for (const digest of record.digests) this.#byDigest.set(digest.sha256.toString('hex'), { record, digest });
    }
  }
}

/**
 * Loads `tokens.json`, creates an admin token at the first start, and adds the given tokens. Only changed files are written.
 * Throws if the file cannot be parsed, and for a token with fewer than `MIN_TOKEN_CHARACTERS`.
 *
 * A file that cannot be read counts as absent. If the admin token can neither be read nor created and none was given, this run
 * has none.
 */
export async function openTokens(stateDir: string, given: GivenTokens, clocks: Clocks = systemClocks): Promise<Tokens> {
  refuseShort(given);
  const path = join(stateDir, 'tokens.json');
  const problems: string[] = [];
  const { tokens: kept, wasJoinToken } = readTokenFile(await readOr(path, problems), path);
  const isUnread = problems.length > 0;
  const keptAdmin = kept.find((record) => record.name === ADMIN_NAME);
  const adminToken = given.adminToken ?? (await keptAdminToken(stateDir, problems));
  const made = adminToken === undefined ? undefined : givenRecord(ADMIN_NAME, 'admin', adminToken);
  const isKept = keptAdmin?.role === 'admin' && made !== undefined && isSameSecret(keptAdmin, made);
  const admin = isKept ? keptAdmin : (made ?? keptAdmin);
  const stored = kept.filter((record) => record !== keptAdmin);
  const others = [
    given.joinToken === undefined ? undefined : givenRecord(JOIN_NAME, 'join', given.joinToken),
    given.feedToken === undefined ? undefined : givenRecord(FEED_NAME, 'proxy', given.feedToken),
  ].filter((record) => record !== undefined);
  const ownNodes = given.ownNodeToken === undefined ? undefined : givenRecord(JOIN_NAME, 'join', given.ownNodeToken);
  let isUnwritten = isUnread;
  if (admin && admin !== keptAdmin && !isUnread) {
    const text = tokenFileText({ tokens: [...stored, admin], wasJoinToken }, clocks.nowUnixMs());
    await replaceFile(path, text).catch(() => {
      isUnwritten = true;
    });
  }
  const all = ownNodes ? [...others, ownNodes] : others;
  return new Tokens(
    { path, stored, admin, given: all, ownNodes, wasJoinToken, problems, isUnread, isUnwritten },
    clocks,
  );
}

/** Tokens of few characters can be guessed. */
function refuseShort({ joinToken, adminToken }: GivenTokens): void {
  for (const [name, token] of Object.entries({ ROLLCALL_JOIN_TOKEN: joinToken, ROLLCALL_ADMIN_TOKEN: adminToken }))
    if (token !== undefined && token.length < MIN_TOKEN_CHARACTERS) throw new Error(shortTokenText(name, token));
}

function givenRecord(name: string, role: Role, secret: string): TokenRecord {
  return { name, id: newTokenId(), role, digests: [{ sha256: digestOf(secret) }] };
}

function isSameSecret(one: TokenRecord, other: TokenRecord): boolean {
  const [digest] = other.digests;
  return digest !== undefined && one.digests[0]?.sha256.equals(digest.sha256) === true;
}

/** The text of a file; `undefined` if it does not exist or cannot be read. */
async function readOr(path: string, problems: string[]): Promise<string | undefined> {
  try {
    return await readIfThere(path);
  } catch (error) {
    problems.push(`Tokens in ${path} are not in force in this run: ${(error as Error).message}.`);
    return undefined;
  }
}

async function keptAdminToken(stateDir: string, problems: string[]): Promise<string | undefined> {
  const path = join(stateDir, 'admin-token');
  let kept: string | undefined;
  try {
    kept = (await readIfThere(path))?.trim();
    if (!kept) {
      kept = newSecret().secret;
      await replaceFile(path, `${kept}\n`);
    }
  } catch (error) {
    problems.push(
      `There is no admin token in this run: ${(error as Error).message}. Start with ROLLCALL_ADMIN_TOKEN, or start again when ${path} can be written.`,
    );
    return undefined;
  }
  if (kept.length < MIN_TOKEN_CHARACTERS)
    throw new Error(`${shortTokenText(path, kept)}; delete the file to have one made`);
  return kept;
}

function newSecret(): { readonly secret: string; readonly digest: TokenDigest } {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { secret, digest: { sha256: digestOf(secret) } };
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function unauthenticated(message: string): Fault {
  return { code: 'unauthenticated', message };
}

function conflict(message: string): Fault {
  return { code: 'conflict', message };
}
