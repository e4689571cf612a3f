/**
 * Decides who speaks. Every request and every upgrade passes here before anything else looks at it.
 *
 * A bearer token decides alone, and is looked up first, so that wrong tokens of others never keep a right one out. Without one there
 * is the login of a browser: its cookie together with the page key. The cookie alone opens the pages, which hold no data, and
 * nothing else: it goes with requests to any port of the host, so others may have seen it. Then there is a verified client certificate
 * that a token names. When the control port is on loopback, the peer's being on this machine is enough to look and, while no join
 * token exists, to join.
 */
import type { IncomingMessage } from 'node:http';
import type { QuotaStanding } from '@rollcall/core';
import { type Fault, LOGIN_COOKIE_PREFIX, PAGE_KEY_FIELD, type Role } from '@rollcall/protocol';
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

/** Whoever speaks, and how we know. */
export interface Identity {
  readonly name: string;
  readonly role: Role;
  readonly by: 'token' | 'certificate' | 'cookie' | 'loopback';
  /** Id of the login, by cookie. */
  readonly login?: string;
  /** The token as it was when its secret or its certificate was shown. Absent without one. */
  readonly token?: TokenRecord;
  /** Which of its secrets was shown. */
  readonly digest?: TokenDigest;
}

export interface GateOptions {
  readonly tokens: Tokens;
  readonly logins: Logins;
  readonly clocks: Clocks;
  /** The control port listens on loopback only. */
  readonly isControlOnLoopback: boolean;
  /** Ranges besides which nobody reaches the admin API and the pages. */
  readonly adminAllow: readonly string[];
  /** Names under which the control port may be asked for, besides loopback names and its own address. */
  readonly controlHosts: readonly string[];
}

/** Wrong tokens from one address at one door: beyond it 429 in place of 401. */
const FAILURES = { burst: 20, perSecond: 0.5 };
/** The same for all addresses together. */
const ALL_FAILURES = { burst: 200, perSecond: 20 };
const MAX_ADDRESSES = 10_000;
/** Cookies of one name that are looked at: a page of the same host on another port can add some. */
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
    this.#controlHosts = new Set(options.controlHosts.map((host) => host.toLowerCase()));
  }

  /**
   * Lets an admin request or page through, or says why not. `isPage`: the answer is a file without data, for which the login cookie
   * is enough. Errors: `rate-limited`, `unauthenticated`, `forbidden`, `misdirected`.
   */
  admit(request: IncomingMessage, needed: Role, isPage = false): Identity | Fault {
    // Those who come to register a node by PUT come from where nodes are, not from where operators are.
    const stranger = needed === 'join' ? undefined : this.#stranger(request);
    if (stranger) return stranger;
    const identity = this.#identify(request, 'admin', isPage);
    if ('code' in identity) return identity;
    if (identity.by !== 'token') {
      // A page of another name reaches no port whose certificate is not for that name.
      const misuse = this.#misuse(request, identity.by !== 'certificate');
      if (misuse) return misuse;
    }
    // Operators add nodes too, and stay operators.
    if (needed === 'join' && isAllowed(identity.role, 'operator')) return identity;
    return this.#authorize(identity, needed);
  }

  /** Lets a visitor without a login come to the login page; `undefined` when that is so. */
  admitVisitor(request: IncomingMessage): Fault | undefined {
    return this.#stranger(request) ?? this.#misuse(request);
  }

  /** The same for the upgrade of an agent or a worker. Operators are neither. */
  admitUpgrade(request: IncomingMessage, needed: 'join' | 'proxy'): Identity | Fault {
    if (request.headers.origin !== undefined) return fault('forbidden', 'upgrades from web pages (Origin) are refused');
    const identity = this.#identify(request, 'upgrade');
    return 'code' in identity ? identity : this.#authorize(identity, needed);
  }

  /** Why an identity that was admitted before would not be now; `undefined` when it would. Errors: `unauthenticated`, `forbidden`. */
  recheck({ token, digest, login }: Identity, peer: IpAddress | undefined): Fault | undefined {
    const { tokens, logins } = this.#options;
    if (login !== undefined && !logins.isOpen(login)) return fault('unauthenticated', 'the login has ended');
    if (!token) return undefined;
    return tokens.standing(token, digest) ?? judgeAddress(tokens.current(token) ?? token, peer);
  }

  /** True when Host names this control port, so that no foreign page can reach it under a name of its own. */
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

  /** `Set-Cookie` that takes it back. */
  logoutCookie(request: IncomingMessage): string {
    return `${cookieName(request)}=; ${cookieAttributes(request)}; Max-Age=0`;
  }

  #stranger(request: IncomingMessage): Fault | undefined {
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
        'this needs a token, or a login: open the link that `rollcall up` or `rollcall logins --link` prints; `rollcall status` reports when there is no admin token',
      );
    return fault('forbidden', `the token ${identity.name} has the role ${role}; this needs ${needed}`);
  }

  #identify(request: IncomingMessage, door: 'admin' | 'upgrade', isPage = false): Identity | Fault {
    const peer = peerOf(request);
    const { authorization } = request.headers;
    // Agents with a wrong token must not lock the operator beside them out.
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

  /** A wrong token: `fault`, or `rate-limited` when there were too many of them. */
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
    // Somebody in between speaks for others, and this machine is only the last hop.
    return request.headers['x-forwarded-for'] === undefined && request.headers['forwarded'] === undefined;
  }

  /** What a browser sends along by itself proves nothing unless the page is our own. */
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

/** The token name that nodes registered by this identity belong to. Operators act for the common one. */
export function ownerOf(identity: Identity): string {
  return identity.role === 'join' ? identity.name : JOIN_NAME;
}

/** Whose quotas count for what this identity registers. */
export function standingOf({ role, by }: Identity): QuotaStanding {
  if (role !== 'join') return 'operator';
  return by === 'loopback' ? 'tokenless' : 'token';
}

function hostName(host: string | undefined): string | undefined {
  const [, name] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?$/.exec(host ?? '') ?? [];
  return name?.toLowerCase();
}

/** Browsers keep one jar for all ports of a host, so the port is in the name. */
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
