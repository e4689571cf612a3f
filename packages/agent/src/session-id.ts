import { randomBytes } from 'node:crypto';

const RANDOM_BYTES = 24;

/** 192 random bits, as express-session makes them. */
export function newSessionId(): string {
  return randomBytes(RANDOM_BYTES).toString('base64url');
}

/**
 * A session id that ends in the node's route: `<base>.<route>`. Signing adds its own part after it
 * (`<base>.<route>.<signature>`), which the proxy understands.
 *
 * Without `base`: a new id. A base that ends in the route already is returned as it is.
 */
export function sessionIdWithRoute(base: string | undefined, route: string): string {
  const id = base === undefined || base === '' ? newSessionId() : base;
  return id.endsWith(`.${route}`) ? id : `${id}.${route}`;
}
