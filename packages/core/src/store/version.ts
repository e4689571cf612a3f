/** How versions of stored records compare: left to right, and only a higher one may replace. */
import type { StoredRecord } from './store.ts';

/** True when `one` is higher than `other`. */
export function isNewer(one: StoredRecord['version'], other: StoredRecord['version']): boolean {
  return one[0] > other[0] || (one[0] === other[0] && one[1] > other[1]);
}
