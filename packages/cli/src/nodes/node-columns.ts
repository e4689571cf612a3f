/** Columns of `rollcall nodes`. */
import type { NodeResource } from '@rollcall/protocol';
import { bar } from '../screen/bar.ts';
import type { Column } from '../screen/fitted-table.ts';
import { noteOf } from './node-notes.ts';
import { errorsCell, latencyCell, livenessCell, percentText, statusTone } from './node-state.ts';
import type { Outliers } from './outliers.ts';

/** Cells of a load bar. */
const BAR_CELLS = 5;
const NOTE = 'NOTE';

export interface ColumnOptions {
  readonly outliers: Outliers;
  readonly nowUnixMs: number;
  /** Bars are for terminals. */
  readonly hasBars: boolean;
}

/** All columns. On a narrow terminal the columns with the greatest rank are left out. */
export function nodeColumns({ outliers, nowUnixMs, hasBars }: ColumnOptions): readonly Column<NodeResource>[] {
  const right = true;
  const barColumn: Column<NodeResource> = {
    heading: '',
    rank: 6,
    cell: ({ load }) => (load === undefined ? '' : bar(load, BAR_CELLS)),
  };
  return [
    { heading: 'NODE', rank: 0, cell: ({ id }) => id },
    { heading: 'BALANCER', rank: 1, cell: ({ balancer }) => balancer },
    { heading: 'GROUP', rank: 10, cell: ({ group }) => group ?? '-' },
    { heading: 'VERSION', rank: 11, cell: ({ version }) => version ?? '-' },
    { heading: 'URL', rank: 8, cell: ({ url }) => url },
    { heading: 'PID', rank: 9, cell: ({ process }) => process?.pid ?? '-', isRight: right },
    { heading: 'STATUS', rank: 0, cell: ({ status }) => ({ text: status, tone: statusTone(status) }) },
    { heading: 'LIVENESS', rank: 0, cell: livenessCell },
    { heading: 'LOAD', rank: 3, cell: ({ load }) => (load === undefined ? '-' : percentText(load)), isRight: right },
    ...(hasBars ? [barColumn] : []),
    { heading: 'FACTOR', rank: 12, cell: ({ loadFactor }) => loadFactor ?? '-', isRight: right },
    { heading: 'WEIGHT', rank: 13, cell: ({ weight }) => weight ?? '-', isRight: right },
    { heading: 'SESSIONS', rank: 2, cell: ({ sessions }) => sessions, isRight: right },
    { heading: 'FROM', rank: 14, cell: ({ sessionsFrom }) => sessionsFrom },
    { heading: 'SEEN ONCE', rank: 7, cell: ({ sessionsSeenOnce }) => sessionsSeenOnce, isRight: right },
    { heading: 'IN-FLIGHT', rank: 5, cell: ({ inFlight }) => inFlight, isRight: right },
    { heading: 'ERRORS', rank: 0, cell: (node) => errorsCell(node, outliers.failing.has(node.id)), isRight: right },
    { heading: 'LATENCY', rank: 4, cell: (node) => latencyCell(node, outliers.slow.has(node.id)), isRight: right },
    { heading: NOTE, rank: 0, cell: (node) => noteOf(node, nowUnixMs) },
  ];
}

/** Columns without those of `--wide`. */
export function narrowColumns(columns: readonly Column<NodeResource>[]): readonly Column<NodeResource>[] {
  return columns.filter(({ rank }) => rank < 10);
}

export function isNote({ heading }: Column<NodeResource>): boolean {
  return heading === NOTE;
}
