/**
 * Observations of one worker for the sticky self-check. It keeps the form of the last 100 new session ids of a balancer,
 * and whether its last 100 visitors sent the proxy's cookie back. The registry judges them, over all workers.
 *
 * In suffix and rewrite mode it observes `Set-Cookie` fields, in suffix mode also session ids in URLs. In insert mode it
 * observes the first request on a connection after the proxy has set its cookie there. It also observes new sessions of clients
 * that send a session cookie of the application.
 *
 * Memory is bounded. Of values only the text after a dot is kept, for comparison with the next id of the same node. It is
 * reported only if it repeats.
 */
import type { StickySample } from '@rollcall/feed';
import type { BalancerName, NodeId, StickySettings } from '@rollcall/protocol';
import { parseCookieName, parseRoute } from '@rollcall/protocol';
import { decodeOctets } from '../contexts/path-match.ts';
import { cookieValueStart, pairEnd } from './cookie-field.ts';
import { findRoute, type KnownRoutes } from './session-id.ts';
import { hashText } from './text-hash.ts';

/** Number of latest new ids, and of latest visitors, that count. */
const WINDOW = 100;
/** Places for hashes of the latest ids, so that a repeated id is not new. A power of two. */
const RECENT = 256;
/** Nodes whose last id is kept for comparison with their next. */
const MAX_NODES = 64;
/** Nodes that are named for writing a route other than their own. */
const MAX_NAMED = 4;
/** Shorter values are no session ids. */
const MIN_ID_LENGTH = 8;
/** Shorter values of cookies that are not configured count as settings. */
const MIN_STRANGE_LENGTH = 16;
const SESSION_NAME = /sess|sid$|^sid|[._-]sid/i;
const NO_SESSION_NAME = /csrf|xsrf/i;
const APPLICATION_ID = { mayBeBare: false };

const ROUTED = 0;
const UNROUTED = 1;
const OTHER = 2;
const STRANGE = 3;
const FOREIGN = 4;
const FOREIGN_ROUTED = 5;
type Kind = typeof ROUTED | typeof UNROUTED | typeof OTHER | typeof STRANGE | typeof FOREIGN | typeof FOREIGN_ROUTED;
const RETURNED = 0;
const REFUSED = 1;
const OPENED = 0;
const RENEWED = 1;
const FRESH = 0;
const ROUTELESS = 1;

/** The fields of a node that new ids are compared with. */
export interface WatchedNode {
  readonly id: NodeId;
  readonly route: string;
}

export class StickyWatch {
  readonly #balancer: BalancerName;
  #settings: StickySettings;
  readonly #ids = new Window(FOREIGN_ROUTED + 1);
  readonly #visitors = new Window(REFUSED + 1);
  readonly #origins = new Window(RENEWED + 1);
  readonly #begun = new Window(ROUTELESS + 1);
  readonly #recent = new Uint32Array(RECENT);
  /** The text after the first dot of a node's last id without a known route. */
  readonly #tails = new Map<NodeId, string>();
  readonly #writes = new Map<NodeId, string>();
  #name = '';
  #foreignName = '';
  #routelessName = '';
  #isChanged = false;
  /** True when `Set-Cookie` fields of responses are observed. */
  watchesCookies: boolean;

  constructor(balancer: BalancerName, settings: StickySettings) {
    this.#balancer = balancer;
    this.#settings = settings;
    this.watchesCookies = isWatched(settings);
  }

  /** Applies other settings. Observations under the earlier ones are dropped. */
  configure(settings: StickySettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#settings = settings;
    this.watchesCookies = isWatched(settings);
    this.reset();
  }

  /** Begins a new window after a node restarted: the restart may have fixed a finding. */
  reset(): void {
    this.#ids.clear();
    this.#visitors.clear();
    this.#origins.clear();
    this.#begun.clear();
    this.#routelessName = '';
    this.#recent.fill(0);
    this.#tails.clear();
    this.#writes.clear();
    this.#name = '';
    this.#foreignName = '';
    this.#isChanged = true;
  }

  /** The coordinator lost the sample: `take` returns it again. */
  tellAgain(): void {
    this.#isChanged = true;
  }

  /**
   * Records that `node` answered with this `Set-Cookie`. `requestRoute` is the route of the request's session, `''` for a
   * new one: an id that keeps it is not new. Returns the id when it will bring clients back to the node (in rewrite mode,
   * with the route appended), `''` otherwise.
   */
  onSetCookie(field: string, node: WatchedNode, requestRoute: string, routes: KnownRoutes<WatchedRoute>): string {
    const equals = field.indexOf('=');
    if (equals <= 0) return '';
    const semicolon = field.indexOf(';', equals);
    const id = unquoted(field.slice(equals + 1, semicolon < 0 ? field.length : semicolon).trim());
    if (id.length < MIN_ID_LENGTH) return '';
    const name = field.slice(0, equals).trim();
    const known = findRoute(id, routes, APPLICATION_ID);
    if (!this.#settings.cookies.includes(name)) {
      if (this.#isOwn(name) || (known === undefined && !isSessionLike(name, id, field))) return '';
      if (this.#isNew(id)) {
        this.#foreignName = name;
        this.#add(known === undefined ? FOREIGN : FOREIGN_ROUTED);
      }
      return '';
    }
    const isRewritten = this.#settings.mode === 'rewrite';
    if (this.#isNew(id)) {
      if (requestRoute === '') this.#origins.add(OPENED);
      else if (requestRoute === node.route) this.#origins.add(RENEWED);
      if (isRewritten) this.#add(ROUTED);
      else this.#onId(id, name, node, requestRoute, known);
    }
    return isRewritten || known?.route === node.route ? id : '';
  }

  /** A request of a session whose id, with its route, is in the URL and was not seen before. */
  onRoutedId(): void {
    this.#add(ROUTED);
  }

  /** A request with a session id in the URL that names no known route. */
  onUnroutedId(id: string, name: string): void {
    if (id.length < MIN_ID_LENGTH || !this.#isNew(id)) return;
    this.#name = name;
    this.#add(UNROUTED);
  }

  /** The first request on a connection after the proxy has set its cookie there. */
  onVisitor(hasReturned: boolean): void {
    this.#visitors.add(hasReturned ? RETURNED : REFUSED);
    this.#isChanged = true;
  }

  /**
   * A new session of a request with this `Cookie` field in insert mode. Returns true when the request has a session cookie of
   * the application: its client keeps cookies, but did not send the route.
   */
  onNewSession(cookie: string): boolean {
    const name = cookie === '' ? undefined : this.#settings.cookies.find((candidate) => isSent(cookie, candidate));
    if (name !== undefined) this.#routelessName = name;
    this.#begun.add(name === undefined ? FRESH : ROUTELESS);
    this.#isChanged = true;
    return name !== undefined;
  }

  /** The sample, if it has changed since the last call. */
  take(): StickySample | undefined {
    if (!this.#isChanged) return undefined;
    this.#isChanged = false;
    return this.sample();
  }

  sample(): StickySample {
    const name = parseCookieName(this.#name);
    const foreignName = parseCookieName(this.#foreignName);
    const routelessName = parseCookieName(this.#routelessName);
    const writes: StickySample['writes'][number][] = [];
    for (const [node, text] of this.#writes) {
      const route = parseRoute(text);
      if (route !== undefined) writes.push({ node, route });
    }
    return {
      balancer: this.#balancer,
      routed: this.#ids.count(ROUTED),
      unrouted: this.#ids.count(UNROUTED),
      other: this.#ids.count(OTHER),
      strange: this.#ids.count(STRANGE),
      opened: this.#origins.count(OPENED),
      renewed: this.#origins.count(RENEWED),
      foreign: this.#ids.count(FOREIGN),
      foreignRouted: this.#ids.count(FOREIGN_ROUTED),
      returned: this.#visitors.count(RETURNED),
      refused: this.#visitors.count(REFUSED),
      fresh: this.#begun.count(FRESH),
      routeless: this.#begun.count(ROUTELESS),
      ...(name !== undefined && { name }),
      ...(foreignName !== undefined && { foreignName }),
      ...(routelessName !== undefined && { routelessName }),
      writes,
    };
  }

  #onId(id: string, name: string, node: WatchedNode, requestRoute: string, known: WatchedRoute | undefined): void {
    if (known === undefined) {
      this.#name = name;
      const route = this.#repeatedSegment(id, node.id);
      if (route !== undefined) this.#onOtherRoute(node.id, route);
      this.#add(route === undefined ? UNROUTED : OTHER);
    } else if (known.route === node.route) {
      this.#writes.delete(node.id);
      this.#tails.delete(node.id);
      this.#add(ROUTED);
    } else if (known.route !== requestRoute) {
      this.#name = name;
      this.#onOtherRoute(node.id, known.route);
      this.#add(known.node === undefined ? OTHER : STRANGE);
    }
  }

  #onOtherRoute(node: NodeId, route: string): void {
    if (this.#writes.size < MAX_NAMED || this.#writes.has(node)) this.#writes.set(node, route);
  }

  /** A signature differs from id to id, a route does not. */
  #repeatedSegment(id: string, node: NodeId): string | undefined {
    const text = decodeOctets(id);
    const dot = text.indexOf('.');
    if (dot < 0) return undefined;
    const tail = text.slice(dot + 1);
    const before = this.#tails.get(node)?.split('.');
    if (before !== undefined || this.#tails.size < MAX_NODES) this.#tails.set(node, tail);
    return tail.split('.').findLast((segment) => parseRoute(segment) !== undefined && before?.includes(segment));
  }

  #isOwn(name: string): boolean {
    const { routeCookie } = this.#settings;
    return name === routeCookie.name || routeCookie.earlierNames.includes(name);
  }

  #isNew(id: string): boolean {
    const hash = hashText(id, 0);
    const at = hash & (RECENT - 1);
    if (this.#recent[at] === hash) return false;
    this.#recent[at] = hash;
    return true;
  }

  #add(kind: Kind): void {
    this.#ids.add(kind);
    this.#isChanged = true;
  }
}

/** The fields of a known route that a watch reads. */
export interface WatchedRoute {
  readonly route: string;
  /** `undefined` while its node is not present. */
  readonly node: object | undefined;
}

/** Counts of the last 100 observations by kind. */
class Window {
  readonly #kinds = new Uint8Array(WINDOW);
  readonly #counts: Uint8Array;
  #size = 0;
  #next = 0;

  constructor(kinds: number) {
    this.#counts = new Uint8Array(kinds);
  }

  add(kind: number): void {
    if (this.#size === WINDOW) this.#counts[this.#kinds[this.#next]!]!--;
    else this.#size++;
    this.#kinds[this.#next] = kind;
    this.#counts[kind]!++;
    this.#next = (this.#next + 1) % WINDOW;
  }

  count(kind: number): number {
    return this.#counts[kind]!;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#size = 0;
    this.#next = 0;
  }
}

/** Recognizes a session cookie by its name, or because scripts cannot read it and it ends with the browser. */
function isSessionLike(name: string, id: string, field: string): boolean {
  if (id.length < MIN_STRANGE_LENGTH || NO_SESSION_NAME.test(name)) return false;
  return SESSION_NAME.test(name) || (/;\s*httponly/i.test(field) && !/;\s*(?:expires|max-age)\s*=/i.test(field));
}

/** True when the field has the cookie `name` with a value. */
function isSent(field: string, name: string): boolean {
  const start = cookieValueStart(field, name, 0);
  return start >= 0 && pairEnd(field, start) > start;
}

function isWatched({ mode }: StickySettings): boolean {
  return mode === 'suffix' || mode === 'rewrite';
}

function unquoted(id: string): string {
  return id.length > 1 && id.startsWith('"') && id.endsWith('"') ? id.slice(1, -1) : id;
}
