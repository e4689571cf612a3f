/** The table of all drills, in the order in which they have ended. */
import type { DrillVerdict } from './verdict.ts';

const HEAD = [
  'requests',
  'failed GET',
  'failed POST',
  'excused',
  'lost',
  'moved',
  'views equal after',
  'settled after',
  'schedule late by',
  'drill',
  'verdict',
];

export function tableOf(verdicts: ReadonlyMap<string, DrillVerdict>): string {
  const rows = [...verdicts].map(([name, verdict]) => [
    String(verdict.requests),
    String(verdict.failedGets),
    String(verdict.failedPosts),
    String(verdict.excused),
    String(verdict.lost),
    String(verdict.moved),
    msOf(verdict.equalAfterMs),
    msOf(verdict.settledAfterMs),
    msOf(verdict.lateMs),
    name,
    verdict.complaints.length === 0 ? 'kept' : verdict.complaints.join('; '),
  ]);
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  // The verdict is last and not padded, because complaints are long.
  return all
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join('  '),
    )
    .join('\n');
}

function msOf(ms: number | undefined): string {
  return ms === undefined ? 'never' : `${Math.round(ms)} ms`;
}
