import type { StickySettings } from '@rollcall/protocol';
import { cookieValue, cookieValueStart, pairEnd } from './cookie-field.ts';
import { ROUTE_COOKIE } from './route-cookie.ts';
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
  /** The id as sent, without enclosing quotes; `''` when nothing was found. */
  id = '';
  place: SessionPlace = 'cookie';
  /** Name of the cookie or parameter; `''` when nothing was found. */
  name = '';
  /** True when nothing was found but an id names a route that is not known. */
  namesUnknown = false;

  constructor(settings: StickySettings) {
    this.#ownCookie = settings.mode === 'insert';
    this.#cookies = settings.cookies;
    this.#parameters = settings.parameters;
    this.#appendsRoutes = settings.mode === 'suffix' || settings.mode === 'rewrite';
  }

  /** Searches; true when a known route was found. `cookie` is the joined `Cookie` field, `target` the request's. */
  find(cookie: string, target: string, routes: KnownRoutes<T>): boolean {
    this.known = undefined;
    this.id = '';
    this.name = '';
    this.namesUnknown = false;
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

  #take(id: string, place: SessionPlace, name: string, routes: KnownRoutes<T>, isOwn: boolean): boolean {
    const known = findRoute(id, routes, isOwn ? OWN_ID : APPLICATION_ID);
    if (known === undefined) {
      if ((isOwn || this.#appendsRoutes) && namesRoute(id)) this.namesUnknown = true;
      return false;
    }
    this.known = known;
    this.id = id;
    this.place = place;
    this.name = name;
    this.namesUnknown = false;
    return true;
  }
}
