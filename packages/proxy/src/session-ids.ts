import { randomFillSync } from 'node:crypto';

const ID_BYTES = 12;
const POOL_IDS = 512;

/** New ids for our own cookie: 96 random bits in base64url, 16 characters. Drawn in bulk, so that one costs little. */
export function sessionIds(): () => string {
  const pool = Buffer.alloc(ID_BYTES * POOL_IDS);
  let used = POOL_IDS;
  return () => {
    if (used === POOL_IDS) {
      randomFillSync(pool);
      used = 0;
    }
    const start = used++ * ID_BYTES;
    return pool.toString('base64url', start, start + ID_BYTES);
  };
}
