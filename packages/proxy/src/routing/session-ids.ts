import { randomBytes } from 'node:crypto';

/** Random octets of an id; a multiple of three, so that ids do not share characters in base64. */
const ID_BYTES = 12;
const ID_LENGTH = 16;
const POOL_IDS = 512;

/** Makes ids for the route cookie: 96 random bits in base64url, 16 characters. They are drawn in bulk, which costs less per id. */
export function sessionIds(): () => string {
  let pool = '';
  let at = 0;
  return () => {
    if (at === pool.length) {
      pool = randomBytes(ID_BYTES * POOL_IDS).toString('base64url');
      at = 0;
    }
    at += ID_LENGTH;
    return pool.slice(at - ID_LENGTH, at);
  };
}
