import type { StickySettings } from '@rollcall/protocol';
import { cookieValue, cookieValueStart, pairEnd } from './cookie-field.ts';
import { type CookieSeal, isOfAnother, ROUTE_COOKIE, unsealed } from './route-cookie.ts';
import type { KnownRoutes } from './session-id.ts';
import { findRoute, namesRoute } from './session-id.ts';
import { pathParameterEnd, pathParameterStart, queryParameterEnd, queryParameterStart } from './url-session.ts';

/** Where a session id was found. */
export type SessionPlace = 'cookie' | 'path' | 'query';

const OWN_ID = { mayBeBare: true };
const APPLICATION_ID = { mayBeBare: false };

/**
 * Finds the session of a request: in our own cookie (insert mode), then in the balancer's cookies in their order, then
 * in path and query parameters. All cookies of a name are read. The first id that names a known route wins.
 *
 * One object per balancer, used again for each request; the answer stands in its fields until the next search.
 */
export class SessionSearch<T> {
  readonly #ownCookie: boolean;
  readonly #cookies: readonly string[];
  readonly #parameters: readonly string[];
  /** Application ids name routes on purpose only where the application or we append them. */
  readonly #appendsRoutes: boolean;
  /** What is known of the route; `undefined` when nothing was found. */
  known: T | undefined;
  /** The id as sent, without enclosing quotes and seal; `''` when nothing was found. */
  id = '';
  place: SessionPlace = 'cookie';
  /** Name of the cookie or parameter; `''` when nothing was found. */
  name = '';
  /** True when nothing was found but an id names a route that is not known. */
  namesUnknown = false;
  /** True when our own cookie came without its seal, or with a wrong one. */
  isForged = false;
  readonly #seal: CookieSeal | undefined;
  readonly #mark: string;
  /** The last id in the URL that names no known route, and its parameter; `''` when there was none before the one found. */
  unroutedId = '';
  unroutedName = '';

  /** `mark` is that of the balancer's own cookies. With a `seal`, insert mode believes nothing but our own cookie: whatever else names a route, the client may have written. */
  constructor(settings: StickySettings, mark: string, seal?: CookieSeal) {
    this.#mark = mark;
    this.#ownCookie = settings.mode === 'insert';
    this.#seal = this.#ownCookie ? seal : undefined;
    this.#cookies = this.#seal === undefined ? settings.cookies : [];
    this.#parameters = this.#seal === undefined ? settings.parameters : [];
    this.#appendsRoutes = settings.mode === 'suffix' || settings.mode === 'rewrite';
  }

  /** Searches; true when a known route was found. `cookie` is the joined `Cookie` field, `target` the request's. */
  find(cookie: string, target: string, routes: KnownRoutes<T>): boolean {
    this.known = undefined;
    this.id = '';
    this.name = '';
    this.namesUnknown = false;
    this.isForged = false;
    this.unroutedId = '';
    if (cookie !== '') {
      if (this.#ownCookie && this.#findCookie(cookie, ROUTE_COOKIE, routes, true)) return true;
      for (const name of this.#cookies) if (this.#findCookie(cookie, name, routes, false)) return true;
    }
    if (target.includes('=')) {
      for (const name of this.#parameters) if (this.#findParameter(target, name, routes)) return true;
    }
    return false;
  }

  #findCookie(field: string, name: string, routes: KnownRoutes<T>, isOwn: boolean): boolean {
    for (let start = cookieValueStart(field, name, 0); start >= 0; ) {
      const end = pairEnd(field, start);
      if (this.#take(cookieValue(field, start, end), 'cookie', name, routes, isOwn)) return true;
      start = cookieValueStart(field, name, end);
    }
    return false;
  }

  #findParameter(target: string, name: string, routes: KnownRoutes<T>): boolean {
    for (let start = pathParameterStart(target, name, 0); start >= 0; ) {
      const end = pathParameterEnd(target, start);
      if (this.#take(target.slice(start, end), 'path', name, routes, false)) return true;
      start = pathParameterStart(target, name, end);
    }
    for (let start = queryParameterStart(target, name, 0); start >= 0; ) {
      const end = queryParameterEnd(target, start);
      if (this.#take(target.slice(start, end), 'query', name, routes, false)) return true;
      start = queryParameterStart(target, name, end);
    }
    return false;
  }

  #take(sent: string, place: SessionPlace, name: string, routes: KnownRoutes<T>, isOwn: boolean): boolean {
    const id = isOwn && this.#seal !== undefined ? unsealed(sent, this.#seal) : sent;
    if (id === undefined) {
      this.isForged = true;
      return false;
    }
    // A browser sends the cookie of an outer context along, and its route may be known here by chance.
    if (isOwn && isOfAnother(id, this.#mark)) return false;
    const known = findRoute(id, routes, isOwn ? OWN_ID : APPLICATION_ID);
    if (known === undefined) {
      if ((isOwn || this.#appendsRoutes) && namesRoute(id)) this.namesUnknown = true;
      if (place !== 'cookie') {
        this.unroutedId = id;
        this.unroutedName = name;
      }
      return false;
    }
    this.known = known;
    this.id = id;
    this.place = place;
    this.name = name;
    this.namesUnknown = false;
    this.isForged = false;
    return true;
  }
}
