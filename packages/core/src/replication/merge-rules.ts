/**
 * How two records of one key become one. Pure, and the same at each coordinator: the result does not depend on the order, nor on repeats.
 *
 * | key | rule |
 * |---|---|
 * | `token/ID` | whatever the versions: first a deletion, then a replaced token, then others |
 * | `node/ID` | the rules of node-merge.ts |
 * | others | the higher version wins |
 */
import { mergeNodes } from './node-merge.ts';
import { isDeletion, type Merged, type SharedRecord } from './shared-record.ts';
import { compareVersions } from './version.ts';

export function mergeRecords(mine: SharedRecord, theirs: SharedRecord): Merged {
  const order = compareVersions(mine.version, theirs.version);
  if (order === 0) return 'mine';
  if (mine.key.startsWith('token/')) {
    const ends = tokenEnd(mine) - tokenEnd(theirs);
    if (ends !== 0) return ends > 0 ? 'mine' : 'theirs';
  }
  if (mine.key.startsWith('node/')) return mergeNodes(mine, theirs);
  return order > 0 ? 'mine' : 'theirs';
}

/** How far a token has ended: 2 revoked, 1 replaced by another id, 0 not. */
function tokenEnd({ value }: SharedRecord): number {
  if (isDeletion({ value })) return 2;
  return typeof value === 'object' && value !== null && 'replacedBy' in value ? 1 : 0;
}
