import { randomBytes } from 'node:crypto';

const RANDOM_BYTES = 24;

/**
 * A session id that ends in the node's route: `<base>.<route>`. Signing adds its own part after it
 * (`<base>.<route>.<signature>`), which the proxy understands.
 *
 * Without `base`: 192 random bits, as express-session makes them. A base that ends in the route already is returned
 * as it is.
 */
export function sessionIdWithRoute(base: string | undefined, route: string): string {
  const id = base === undefined || base === '' ? randomBytes(RANDOM_BYTES).toString('base64url') : base;
  return id.endsWith(`.${route}`) ? id : `${id}.${route}`;
}
