/** Tables that fit a terminal: columns are left out by their importance until the table is narrow enough. */
import type { Paint, Tone } from './paint.ts';
import { printableText, widthOf } from './text-width.ts';

export interface Cell {
  readonly text: string;
  readonly tone?: Tone | undefined;
}

export interface Column<Row> {
  readonly heading: string;
  readonly cell: (row: Row) => Cell | string | number;
  /** Columns with the greatest rank are left out first; rank 0 always stays. */
  readonly rank: number;
  readonly isRight?: boolean;
}

/** Space between two columns. */
const GAP = 2;

/** The columns that fit `width` with these rows, in their order. */
export function fittingColumns<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
): readonly Column<Row>[] {
  const widths = new Map(columns.map((column) => [column, columnWidth(column, rows)]));
  let kept = columns;
  for (;;) {
    const total = kept.reduce((sum, column) => sum + widths.get(column)! + GAP, -GAP);
    const rank = Math.max(...kept.map((column) => column.rank));
    if (total <= width || rank === 0) return kept;
    kept = kept.filter((column) => column.rank !== rank);
  }
}

/** Heading and one line per row. The last line of a column is not padded. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[], paint: Paint): string[] {
  const widths = columns.map((column) => columnWidth(column, rows));
  const lineOf = (cells: readonly Cell[]): string => {
    const last = cells.findLastIndex(({ text }) => text !== '');
    return cells
      .slice(0, last + 1)
      .map(({ text, tone }, i) => {
        const space = ' '.repeat(widths[i]! - widthOf(text));
        if (columns[i]!.isRight) return space + paint(tone, text);
        return paint(tone, text) + (i === last ? '' : space);
      })
      .join(' '.repeat(GAP));
  };
  return [
    lineOf(columns.map(({ heading }) => ({ text: heading, tone: 'strong' }))),
    ...rows.map((row) => lineOf(columns.map((column) => cellOf(column, row)))),
  ];
}

export function cellOf<Row>(column: Column<Row>, row: Row): Cell {
  const cell = column.cell(row);
  if (typeof cell === 'object') return { ...cell, text: printableText(cell.text) };
  return { text: printableText(String(cell)) };
}

function columnWidth<Row>(column: Column<Row>, rows: readonly Row[]): number {
  return rows.reduce((width, row) => Math.max(width, widthOf(cellOf(column, row).text)), widthOf(column.heading));
}
