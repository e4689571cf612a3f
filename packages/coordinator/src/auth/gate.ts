/**
 * Authenticates and authorizes clients. Every request and every upgrade passes the gate before any other code handles it.
 *
 * 1. A bearer token decides alone. It is looked up before the limit of wrong tokens, so that wrong tokens of other clients never lock
 *    out a right one.
 * 2. The login of a browser: its cookie together with the page key. The cookie alone opens only the pages, which hold no data.
 *    Browsers send it to every port of the host, so other programs may have seen it.
 * 3. A verified client certificate that a token names.
 * 4. If the control port listens on loopback, a peer on this machine may read, and may join while no join token exists.
 */
import type { IncomingMessage } from 'node:http';
import type { QuotaStanding } from '@rollcall/core';
import { canonicalHost, type Fault, LOGIN_COOKIE_PREFIX, PAGE_KEY_FIELD, type Role } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';
import { CidrList, type IpAddress, isLoopback, isLoopbackHost, limitKey, parseIp } from '../network/addresses.ts';
import { isSecure, peerOf } from '../network/peer.ts';
import { KeyedBuckets, TokenBucket } from '../network/token-bucket.ts';
import { judgeAddress } from './bindings.ts';
import { tokenOfPeer } from './certificates.ts';
import { LOGIN_MS, type Login, type Logins } from './logins.ts';
import { isAllowed } from './roles.ts';
import { ADMIN_NAME, JOIN_NAME, type TokenDigest, type TokenRecord, type Tokens } from './tokens.ts';

export { peerOf } from '../network/peer.ts';

/** An authenticated client, and the kind of its proof. */
export interface Identity {
  readonly name: string;
  readonly role: Role;
  readonly by: 'token' | 'certificate' | 'cookie' | 'loopback';
  /** Id of the login, for a login cookie. */
  readonly login?: string;
  /** The token as it was when its secret or certificate was presented. Absent without one. */
  readonly token?: TokenRecord;
  /** The presented secret. */
  readonly digest?: TokenDigest;
}

export interface GateOptions {
  readonly tokens: Tokens;
  readonly logins: Logins;
  readonly clocks: Clocks;
  /** The control port listens on loopback only. */
  readonly isControlOnLoopback: boolean;
  /** The only ranges that may use the admin API and the pages. */
  readonly adminAllow: readonly string[];
  /** Accepted values of Host besides loopback names and the own address. */
  readonly controlHosts: readonly string[];
}

/** Limit of wrong tokens per address and kind of client; beyond it the answer is 429 instead of 401. */
const FAILURES = { burst: 20, perSecond: 0.5 };
/** The same for all addresses together. */
const ALL_FAILURES = { burst: 200, perSecond: 20 };
const MAX_ADDRESSES = 10_000;
/** Upper bound of the cookies of one name that are checked: a page of the same host on another port can add some. */
const MAX_COOKIES = 8;

export class Gate {
  readonly #options: GateOptions;
  readonly #adminAllow: CidrList;
  readonly #controlHosts: ReadonlySet<string>;
  readonly #failures = new KeyedBuckets(FAILURES, MAX_ADDRESSES);
  readonly #allFailures: TokenBucket;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#allFailures = new TokenBucket(ALL_FAILURES, options.clocks.nowMs());
    this.#adminAllow = new CidrList(options.adminAllow);
    this.#controlHosts = new Set(options.controlHosts.map(canonicalHost));
  }

  /**
   * Admits a request for the admin API or a page, or returns the fault. `isPage`: the answer is a file without data, for which the
   * login cookie is enough. Errors: `rate-limited`, `unauthenticated`, `forbidden`, `misdirected`.
   */
  admit(request: IncomingMessage, needed: Role, isPage = false): Identity | Fault {
    // Clients that register a node by PUT have addresses of nodes, not of operators.
    const untrusted = needed === 'join' ? undefined : this.#untrusted(request);
    if (untrusted) return untrusted;
    const identity = this.#identify(request, 'admin', isPage);
    if ('code' in identity) return identity;
    if (identity.by !== 'token') {
      // With TLS, a page of another name cannot reach the port, because its certificate is not for that name.
      const misuse = this.#misuse(request, identity.by !== 'certificate');
      if (misuse) return misuse;
    }
    // Operators may register nodes too, and keep their role.
    if (needed === 'join' && isAllowed(identity.role, 'operator')) return identity;
    return this.#authorize(identity, needed);
  }

  /** Admits a visitor without a login to the login page: `undefined`, or the fault. */
  admitVisitor(request: IncomingMessage): Fault | undefined {
    return this.#untrusted(request) ?? this.#misuse(request);
  }

  /** The same for the upgrade of an agent or a worker, for which the roles of operators are refused. */
  admitUpgrade(request: IncomingMessage, needed: 'join' | 'proxy'): Identity | Fault {
    if (request.headers.origin !== undefined) return fault('forbidden', 'upgrades from web pages (Origin) are refused');
    const identity = this.#identify(request, 'upgrade');
    return 'code' in identity ? identity : this.#authorize(identity, needed);
  }

  /**
   * Checks an identity again that was admitted before. Returns `undefined` while it is valid. Errors: `unauthenticated`,
   * `forbidden`.
   */
  recheck(
    { token, digest, login }: Identity,
    peer: IpAddress | undefined,
    tokens: Tokens = this.#options.tokens,
  ): Fault | undefined {
    if (login !== undefined && !this.#options.logins.isOpen(login))
      return fault('unauthenticated', 'the login has ended');
    if (!token) return undefined;
    return tokens.standing(token, digest) ?? judgeAddress(tokens.current(token) ?? token, peer);
  }

  /** True if Host names this control port. Otherwise a foreign page could reach it under its own name (DNS rebinding). */
  #isOwnHost(request: IncomingMessage): boolean {
    const host = hostName(request.headers.host);
    if (host === undefined) return false;
    if (isLoopbackHost(host) || this.#controlHosts.has(host)) return true;
    const address = parseIp(host);
    const local = parseIp(request.socket.localAddress ?? '');
    return address !== undefined && local !== undefined && address.toNormalizedString() === local.toNormalizedString();
  }

  /** `Set-Cookie` for a login that arrived on this port. */
  loginCookie(request: IncomingMessage, value: string): string {
    return `${cookieName(request)}=${value}; ${cookieAttributes(request)}; Max-Age=${LOGIN_MS / 1_000}`;
  }

  /** `Set-Cookie` that deletes the cookie. */
  logoutCookie(request: IncomingMessage): string {
    return `${cookieName(request)}=; ${cookieAttributes(request)}; Max-Age=0`;
  }

  #untrusted(request: IncomingMessage): Fault | undefined {
    const peer = peerOf(request);
    if (this.#adminAllow.has(peer)) return undefined;
    return fault('forbidden', `${peer ?? 'this address'} may not use the admin API (--admin-allow adds ranges)`);
  }

  #authorize(identity: Identity, needed: Role): Identity | Fault {
    const { role, by } = identity;
    if (isAllowed(role, needed)) return identity;
    if (needed === 'join' && by === 'loopback' && !this.#options.tokens.isJoinTokenNeeded)
      return { name: JOIN_NAME, role: 'join', by };
    if (by === 'loopback')
      return fault(
        'unauthenticated',
        'this needs a token or a login: give a command on this machine the --state-dir or ROLLCALL_STATE_DIR of `rollcall up`, or open the login link that `rollcall up` prints; `rollcall status` reports when there is no admin token',
      );
    return fault('forbidden', `the token ${identity.name} has the role ${role}; this needs ${needed}`);
  }

  #identify(request: IncomingMessage, door: 'admin' | 'upgrade', isPage = false): Identity | Fault {
    const peer = peerOf(request);
    const { authorization } = request.headers;
    // Agents with a wrong token must not lock out an operator at the same address.
    if (authorization !== undefined) return this.#byToken(authorization, door, peer);
    const login = this.#loginOf(request);
    if (login && this.#options.logins.isPageKey(login, request.headers[PAGE_KEY_FIELD]))
      return { name: ADMIN_NAME, role: 'admin', by: 'cookie', login: login.id };
    if (login && isPage) return { name: ADMIN_NAME, role: 'viewer', by: 'cookie' };
    const certified = tokenOfPeer(request, (name) => this.#options.tokens.findByCertificate(name));
    if (certified) return 'code' in certified ? certified : byRecord(certified, 'certificate', peer);
    if (this.#isOnThisMachine(request, peer)) return { name: 'loopback', role: 'viewer', by: 'loopback' };
    if (login)
      return fault(
        'unauthenticated',
        `a login cookie without its page key (field ${PAGE_KEY_FIELD}) allows nothing; open a new login link in this browser`,
      );
    return fault('unauthenticated', 'the token is missing');
  }

  #loginOf(request: IncomingMessage): Login | undefined {
    for (const cookie of cookieValues(request.headers.cookie, cookieName(request))) {
      const login = this.#options.logins.find(cookie);
      if (login) return login;
    }
    return undefined;
  }

  #byToken(authorization: string, door: 'admin' | 'upgrade', peer: IpAddress | undefined): Identity | Fault {
    const [, secret = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    const shown = this.#options.tokens.lookUp(secret);
    if ('code' in shown) return this.#failed(`${door} ${limitKey(peer)}`, shown);
    const { record, digest } = shown;
    return byRecord(record, 'token', peer, digest);
  }

  /** Counts a wrong token. Returns `fault`, or `rate-limited` beyond the limit. */
  #failed(key: string, fault: Fault): Fault {
    const nowMs = this.#options.clocks.nowMs();
    const limited = (from: string, { burst, perSecond }: typeof FAILURES): Fault => ({
      code: 'rate-limited',
      message: `too many wrong tokens from ${from} (${burst} at once, then ${perSecond} a second); a right one is accepted`,
    });
    if (!this.#failures.take(key, nowMs)) return limited('this address', FAILURES);
    if (!this.#allFailures.take(nowMs)) return limited('all addresses', ALL_FAILURES);
    return fault;
  }

  #isOnThisMachine(request: IncomingMessage, peer: IpAddress | undefined): boolean {
    if (!this.#options.isControlOnLoopback || !isLoopback(peer)) return false;
    // A reverse proxy forwards requests of other clients; this machine is only the last hop.
    return request.headers['x-forwarded-for'] === undefined && request.headers['forwarded'] === undefined;
  }

  /** Credentials that a browser adds by itself count only for pages of this coordinator. */
  #misuse(request: IncomingMessage, needsOwnHost = true): Fault | undefined {
    if (needsOwnHost && !this.#isOwnHost(request))
      return fault(
        'misdirected',
        `${(request.headers.host ?? '').slice(0, 100)} is not served here (--control-host adds names)`,
      );
    const { origin, host } = request.headers;
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
      return fault('forbidden', 'requests from other web sites are refused');
    const isWrite = request.method !== 'GET' && request.method !== 'HEAD';
    const hasCookie = cookieValues(request.headers.cookie, cookieName(request)).length > 0;
    if (isWrite && hasCookie && origin === undefined)
      return fault('forbidden', 'a write with a login cookie needs Origin');
    return undefined;
  }
}

function byRecord(
  token: TokenRecord,
  by: 'token' | 'certificate',
  peer: IpAddress | undefined,
  digest?: TokenDigest,
): Identity | Fault {
  const identity: Identity = { name: token.name, role: token.role, by, token, ...(digest && { digest }) };
  return judgeAddress(token, peer) ?? identity;
}

/** The token name that owns the nodes registered by this identity. Operators use the common one. */
export function ownerOf(identity: Identity): string {
  return identity.role === 'join' ? identity.name : JOIN_NAME;
}

/** Owner of the quotas for registrations of this identity. */
export function standingOf({ role, by }: Identity): QuotaStanding {
  if (role !== 'join') return 'operator';
  return by === 'loopback' ? 'tokenless' : 'token';
}

function hostName(host: string | undefined): string | undefined {
  const [, name] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?$/.exec(host ?? '') ?? [];
  return name && canonicalHost(name);
}

/** Browsers share cookies between all ports of a host, so the name contains the port. */
function cookieName(request: IncomingMessage): string {
  return `${LOGIN_COOKIE_PREFIX}${request.socket.localPort ?? 0}`;
}

function cookieAttributes(request: IncomingMessage): string {
  return `Path=/; HttpOnly; SameSite=Strict${isSecure(request) ? '; Secure' : ''}`;
}

/** The values of the cookies of one name, at most `MAX_COOKIES`. */
function cookieValues(field: string | undefined, name: string): string[] {
  const values: string[] = [];
  for (const pair of field?.split(';') ?? []) {
    const [key, value] = pair.split('=', 2);
    if (key?.trim() === name && value !== undefined && values.length < MAX_COOKIES) values.push(value.trim());
  }
  return values;
}

function fault(code: Fault['code'], message: string): Fault {
  return { code, message };
}
