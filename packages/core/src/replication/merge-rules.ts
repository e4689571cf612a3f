/**
 * How two records of one key become one. Pure, and the same at each coordinator: the result does not depend on the order, nor on repeats.
 *
 * | key | rule |
 * |---|---|
 * | `token/ID` | the deletion stands, whatever its version |
 * | `node/ID` | the rules of node-merge.ts |
 * | others | the higher version wins |
 */
import { mergeNodes } from './node-merge.ts';
import { isDeletion, type Merged, type SharedRecord } from './shared-record.ts';
import { compareVersions } from './version.ts';

export function mergeRecords(mine: SharedRecord, theirs: SharedRecord): Merged {
  const order = compareVersions(mine.version, theirs.version);
  if (order === 0) return 'mine';
  if (mine.key.startsWith('token/') && isDeletion(mine) !== isDeletion(theirs))
    return isDeletion(mine) ? 'mine' : 'theirs';
  if (mine.key.startsWith('node/')) return mergeNodes(mine, theirs);
  return order > 0 ? 'mine' : 'theirs';
}
