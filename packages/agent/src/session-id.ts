import { randomBytes } from 'node:crypto';

const RANDOM_BYTES = 24;

/** 192 random bits in base64url, like the ids of express-session. */
export function newSessionId(): string {
  return randomBytes(RANDOM_BYTES).toString('base64url');
}

/**
 * Returns the session id `<base>.<route>`. Signing appends a signature (`<base>.<route>.<signature>`), which the proxy
 * supports.
 *
 * Default of `base`: a new id. A base that already ends with the route is returned unchanged.
 */
export function sessionIdWithRoute(base: string | undefined, route: string): string {
  const id = base === undefined || base === '' ? newSessionId() : base;
  return id.endsWith(`.${route}`) ? id : `${id}.${route}`;
}
