/** Finds the session of a request: the places of session ids, in their order. */
import type { StickySettings } from '@rollcall/protocol';
import { cookieValue, cookieValueStart, pairEnd } from './cookie-field.ts';
import { type CookieSeal, isOfAnother, timeOf, unsealed, withoutTime } from './route-cookie.ts';
import type { KnownRoutes } from './session-id.ts';
import { findRoute, namesRoute } from './session-id.ts';
import { pathParameterEnd, pathParameterStart, queryParameterEnd, queryParameterStart } from './url-session.ts';

/** Where a session id was found. */
export type SessionPlace = 'cookie' | 'path' | 'query';

const OWN_ID = { mayBeBare: true };
const APPLICATION_ID = { mayBeBare: false };

/**
 * Finds the session of a request. In insert mode it searches the proxy's own cookie first, under its name and its earlier
 * names. Then follow the balancer's cookies in their order, then path and query parameters. All cookies of a name are read. The
 * first id that names a known route wins.
 *
 * One object per balancer, reused for each request; the result is in its fields until the next search.
 */
export class SessionSearch<T> {
  /** Names of the proxy's own cookie, the present one first; none unless the mode is insert. */
  readonly #ownNames: readonly string[];
  readonly #cookies: readonly string[];
  readonly #parameters: readonly string[];
  /** True if the application or the proxy appends routes. Otherwise a route in an application's id is a coincidence. */
  readonly #appendsRoutes: boolean;
  /** The entry of the known route; `undefined` when no route was found. */
  known: T | undefined;
  /** The id as sent, without enclosing quotes, seal and time; `''` when nothing was found. */
  id = '';
  /** The time in the proxy's own cookie, Unix seconds; -1 when there is none. */
  timeS = -1;
  place: SessionPlace = 'cookie';
  /** Name of the cookie or parameter; `''` when nothing was found. */
  name = '';
  /** True when the session was found in the proxy's own cookie. */
  isOwn = false;
  /** True when nothing was found but an id names a route that is not known. */
  namesUnknown = false;
  /** True when the proxy's own cookie came without its seal, or with a wrong one. */
  isForged = false;
  readonly #seal: CookieSeal | undefined;
  readonly #mark: string;
  /** The last id in the URL that names no known route, and its parameter; `''` when there was none before the one found. */
  unroutedId = '';
  unroutedName = '';

  /**
   * `mark` is the mark of the balancer's own cookies. With a `seal`, insert mode trusts only the proxy's own cookie: a client
   * may have written any other id that names a route.
   */
  constructor(settings: StickySettings, mark: string, seal?: CookieSeal) {
    this.#mark = mark;
    const { name, earlierNames } = settings.routeCookie;
    const isInsert = settings.mode === 'insert';
    this.#ownNames = isInsert ? [name, ...earlierNames] : [];
    this.#seal = isInsert ? seal : undefined;
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
    this.isOwn = false;
    this.timeS = -1;
    this.unroutedId = '';
    if (cookie !== '') {
      for (const name of this.#ownNames) if (this.#findCookie(cookie, name, routes, true)) return true;
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
    // A browser also sends the cookie of an outer context, and its route may be known here by chance.
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
    this.id = isOwn ? withoutTime(id) : id;
    this.timeS = isOwn ? timeOf(id) : -1;
    this.isOwn = isOwn;
    this.place = place;
    this.name = name;
    this.namesUnknown = false;
    this.isForged = false;
    return true;
  }
}
