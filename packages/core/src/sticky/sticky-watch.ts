/**
 * What the last 100 new session ids of a balancer looked like to one worker, and whether its last 100 visitors sent
 * our cookie back. Judged elsewhere, over all workers; here is only what the worker can see.
 *
 * Looked at are `Set-Cookie` fields in suffix and rewrite mode, session ids in URLs in suffix mode, and in insert mode
 * the first request after our cookie was given on the same connection. Memory is bounded; of values only what stands
 * after a dot is kept, for comparison with the next id of the same node, and nothing of it is told unless it repeats.
 */
import type { BalancerName, NodeId, StickySample, StickySettings } from '@rollcall/protocol';
import { parseCookieName, parseRoute } from '@rollcall/protocol';
import { decodeOctets } from '../contexts/path-match.ts';
import { ROUTE_COOKIE } from './route-cookie.ts';
import { findRoute, type KnownRoutes } from './session-id.ts';
import { hashText } from './text-hash.ts';

/** New ids and visitors that count. */
const WINDOW = 100;
/** Places for hashes of the latest ids, so that an id that is sent again is not new. A power of two. */
const RECENT = 256;
/** Nodes whose last id is compared with their next. */
const MAX_NODES = 64;
/** Nodes that are named for writing another route than theirs. */
const MAX_NAMED = 4;
/** Shorter values are no session ids. */
const MIN_ID_LENGTH = 8;
/** Shorter values of cookies we were not told of are taken for settings. */
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

/** A node as far as a new id is compared with it. */
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
  readonly #recent = new Uint32Array(RECENT);
  /** What stood after the first dot of a node's last id without a known route. */
  readonly #tails = new Map<NodeId, string>();
  readonly #writes = new Map<NodeId, string>();
  #name = '';
  #foreignName = '';
  #isChanged = false;
  /** True when responses are worth looking at. */
  watchesCookies: boolean;

  constructor(balancer: BalancerName, settings: StickySettings) {
    this.#balancer = balancer;
    this.#settings = settings;
    this.watchesCookies = isWatched(settings);
  }

  /** Other settings: what was seen under the earlier ones says nothing. */
  configure(settings: StickySettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#settings = settings;
    this.watchesCookies = isWatched(settings);
    this.reset();
  }

  /** A node was started again, perhaps because of what was found: begin anew. */
  reset(): void {
    this.#ids.clear();
    this.#visitors.clear();
    this.#origins.clear();
    this.#recent.fill(0);
    this.#tails.clear();
    this.#writes.clear();
    this.#name = '';
    this.#foreignName = '';
    this.#isChanged = true;
  }

  /** Who was told has lost it. */
  tellAgain(): void {
    this.#isChanged = true;
  }

  /**
   * `node` answers with this `Set-Cookie`. `requestRoute` is the route of the session that asked, `''` for a new one: an
   * id that keeps it is not new. Returns the id when clients will come back to the node with it (in rewrite mode, with the
   * route appended), `''` otherwise.
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
      if (name === ROUTE_COOKIE || (known === undefined && !isSessionLike(name, id, field))) return '';
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

  /** The first request on a connection after our cookie was given there. */
  onVisitor(hasReturned: boolean): void {
    this.#visitors.add(hasReturned ? RETURNED : REFUSED);
    this.#isChanged = true;
  }

  /** What is seen now, when it has changed since the last call. */
  take(): StickySample | undefined {
    if (!this.#isChanged) return undefined;
    this.#isChanged = false;
    return this.sample();
  }

  sample(): StickySample {
    const name = parseCookieName(this.#name);
    const foreignName = parseCookieName(this.#foreignName);
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
      ...(name !== undefined && { name }),
      ...(foreignName !== undefined && { foreignName }),
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

/** What a watch reads of a known route. */
export interface WatchedRoute {
  readonly route: string;
  /** `undefined` while its node is not there. */
  readonly node: object | undefined;
}

/** How many of the last 100 were of each kind. */
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

/** By its name; or, as sessions usually are, out of reach of scripts and gone with the browser. */
function isSessionLike(name: string, id: string, field: string): boolean {
  if (id.length < MIN_STRANGE_LENGTH || NO_SESSION_NAME.test(name)) return false;
  return SESSION_NAME.test(name) || (/;\s*httponly/i.test(field) && !/;\s*(?:expires|max-age)\s*=/i.test(field));
}

function isWatched({ mode }: StickySettings): boolean {
  return mode === 'suffix' || mode === 'rewrite';
}

function unquoted(id: string): string {
  return id.length > 1 && id.startsWith('"') && id.endsWith('"') ? id.slice(1, -1) : id;
}
