/**
 * Logins of browsers. The command line prints a one-time link; the page behind it gets a cookie and a page key.
 *
 * Browsers send the cookie to every port of the host, so it is no proof without the page key. The page keeps the key in the
 * storage of its own origin and sends it in a header field. Both are stored as digests in `logins.json`, so logins survive a
 * restart. Another admin token ends all of them.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { isObject, type LoginResource, printable } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';
import { readIfThere } from '../files/whole-file.ts';
import type { Tokens } from './tokens.ts';

/** Lifetime of an unused link, milliseconds. */
const LINK_MS = 3_600_000;
/** Lifetime of a login, milliseconds. */
export const LOGIN_MS = 43_200_000;
/** Upper bound of unused links; the oldest is dropped first. */
const MAX_LINKS = 100;
/** Upper bound of logins; the oldest ends first. */
const MAX_LOGINS = 100;
/** Upper bound of the length of a cookie and a page key, characters. */
const MAX_SECRET_LENGTH = 128;
const MAX_AGENT_LENGTH = 200;

/** One stored login. */
export interface Login {
  readonly id: string;
  readonly cookieDigest: Buffer;
  readonly pageKeyDigest: Buffer;
  readonly createdAtUnixMs: number;
  readonly expiresAtUnixMs: number;
  /** Address of the browser. */
  readonly from: string;
  /** `User-Agent` of the browser. */
  readonly agent: string;
}

/** Cookie and page key that a browser gets for a one-time code. */
export interface NewLogin {
  readonly login: Login;
  readonly cookie: string;
  readonly pageKey: string;
}

export interface LoginsOptions {
  readonly tokens: Pick<Tokens, 'loginKey'>;
  readonly clocks: Clocks;
  /** Saves the text of `logins.json`. Resolves when it is written, or when it will be written later. */
  readonly save: (text: string) => Promise<void>;
}

export class Logins {
  readonly #options: LoginsOptions;
  /** One-time codes and the instants at which they expire, milliseconds. */
  readonly #codes = new Map<string, number>();
  /** By id, the oldest first. */
  #logins = new Map<string, Login>();
  /** Digest of the admin token under which all `#logins` were made. */
  #key: string;

  /** `text` is the last argument of `save`. A text that cannot be parsed, or is of another admin token, counts as empty. */
  constructor(options: LoginsOptions, text?: string) {
    this.#options = options;
    this.#key = this.#currentKey();
    for (const login of readLogins(text, this.#key)) this.#logins.set(login.id, login);
  }

  /** A new one-time code for the login page. */
  newCode(): string {
    const code = randomBytes(24).toString('base64url');
    this.#codes.set(code, this.#options.clocks.nowMs() + LINK_MS);
    if (this.#codes.size > MAX_LINKS) this.#codes.delete(this.#codes.keys().next().value!);
    return code;
  }

  /** Exchanges a code for a login; `undefined` if the code is unknown, used or too old. */
  async redeem(code: string, from: string, agent: string): Promise<NewLogin | undefined> {
    const { clocks } = this.#options;
    const expiresAtMs = this.#codes.get(code);
    this.#codes.delete(code);
    if (expiresAtMs === undefined || expiresAtMs < clocks.nowMs()) return undefined;
    const id = randomBytes(6).toString('hex');
    const cookie = `${id}.${randomBytes(24).toString('base64url')}`;
    const pageKey = randomBytes(24).toString('base64url');
    const createdAtUnixMs = Math.floor(clocks.nowUnixMs());
    const login: Login = {
      id,
      cookieDigest: digestOf(cookie),
      pageKeyDigest: digestOf(pageKey),
      createdAtUnixMs,
      expiresAtUnixMs: createdAtUnixMs + LOGIN_MS,
      from,
      agent: printable(agent, MAX_AGENT_LENGTH),
    };
    this.#dropEnded();
    this.#logins.set(id, login);
    if (this.#logins.size > MAX_LOGINS) this.#logins.delete(this.#logins.keys().next().value!);
    await this.#save();
    return { login, cookie, pageKey };
  }

  /** The login of a cookie that `redeem` issued within the last twelve hours, unless it was ended. */
  find(cookie: string): Login | undefined {
    if (cookie.length > MAX_SECRET_LENGTH) return undefined;
    this.#dropEnded();
    const login = this.#logins.get(cookie.slice(0, Math.max(0, cookie.indexOf('.'))));
    return login && timingSafeEqual(login.cookieDigest, digestOf(cookie)) ? login : undefined;
  }

  /** True while the login with this id is valid. */
  isOpen(id: string): boolean {
    this.#dropEnded();
    return this.#logins.has(id);
  }

  /** True if `pageKey` was issued with the cookie of this login. */
  isPageKey({ pageKeyDigest }: Login, pageKey: unknown): boolean {
    if (typeof pageKey !== 'string' || pageKey.length > MAX_SECRET_LENGTH) return false;
    return timingSafeEqual(pageKeyDigest, digestOf(pageKey));
  }

  /** Ends a login; `undefined` if no login has this id. */
  async end(id: string): Promise<Login | undefined> {
    this.#dropEnded();
    const login = this.#logins.get(id);
    if (this.#logins.delete(id)) await this.#save();
    return login;
  }

  /** All logins, the newest first. `currentId`: the login of the request. */
  list(currentId?: string): LoginResource[] {
    this.#dropEnded();
    return [...this.#logins.values()].reverse().map(({ id, createdAtUnixMs, expiresAtUnixMs, from, agent }) => ({
      id,
      createdAtUnixMs,
      expiresAtUnixMs,
      from,
      agent,
      isCurrent: id === currentId,
    }));
  }

  #dropEnded(): void {
    const key = this.#currentKey();
    if (key !== this.#key) this.#logins.clear();
    this.#key = key;
    const nowUnixMs = this.#options.clocks.nowUnixMs();
    // After a clock is set back, a login still lasts at most twelve hours from then.
    for (const { id, createdAtUnixMs, expiresAtUnixMs } of this.#logins.values())
      if (expiresAtUnixMs <= nowUnixMs || createdAtUnixMs > nowUnixMs + LOGIN_MS) this.#logins.delete(id);
  }

  #currentKey(): string {
    return digestOf(this.#options.tokens.loginKey).toString('hex');
  }

  #save(): Promise<void> {
    const logins = [...this.#logins.values()].map(({ cookieDigest, pageKeyDigest, ...login }) => ({
      ...login,
      cookieSha256: cookieDigest.toString('hex'),
      pageKeySha256: pageKeyDigest.toString('hex'),
    }));
    return this.#options.save(`${JSON.stringify({ version: 1, key: this.#key, logins }, null, 2)}\n`);
  }
}

/** Path of the logins file in a state directory. */
export function loginsPath(stateDir: string): string {
  return join(stateDir, 'logins.json');
}

/** The saved text; `undefined` if it cannot be read: browsers must then log in again. */
export function readLoginsFile(stateDir: string): Promise<string | undefined> {
  return readIfThere(loginsPath(stateDir)).catch(() => undefined);
}

function readLogins(text: string | undefined, key: string): Login[] {
  if (text === undefined) return [];
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return [];
  }
  if (!isObject(file) || file['version'] !== 1 || file['key'] !== key || !Array.isArray(file['logins'])) return [];
  return file['logins'].slice(-MAX_LOGINS).flatMap((entry: unknown) => readLogin(entry) ?? []);
}

function readLogin(entry: unknown): Login | undefined {
  if (!isObject(entry)) return undefined;
  const { id, cookieSha256, pageKeySha256, createdAtUnixMs, expiresAtUnixMs, from, agent } = entry;
  if (typeof id !== 'string' || typeof from !== 'string' || typeof agent !== 'string') return undefined;
  if (typeof createdAtUnixMs !== 'number' || typeof expiresAtUnixMs !== 'number') return undefined;
  if (expiresAtUnixMs > createdAtUnixMs + LOGIN_MS || !isDigest(cookieSha256) || !isDigest(pageKeySha256))
    return undefined;
  return {
    id,
    cookieDigest: Buffer.from(cookieSha256, 'hex'),
    pageKeyDigest: Buffer.from(pageKeySha256, 'hex'),
    createdAtUnixMs,
    expiresAtUnixMs,
    from,
    agent,
  };
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function digestOf(secret: string | Buffer): Buffer {
  return createHash('sha256').update(secret).digest();
}
