/** A table as text or Markdown. */
export interface Table {
  readonly title: string;
  /** The first column has names, the others figures. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Sentences below the table. */
  readonly notes: readonly string[];
}

/** Columns aligned with spaces, figures to the right. */
export function asText({ title, columns, rows, notes }: Table): string {
  const widths = columns.map((column, i) => Math.max(...[column, ...rows.map((row) => row[i] ?? '')].map(lengthOf)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const space = ' '.repeat(widths[i]! - lengthOf(cell));
        return i === 0 ? cell + space : space + cell;
      })
      .join('  ')
      .trimEnd();
  return [title, '', line(columns), ...rows.map(line), ...(notes.length > 0 ? ['', ...notes] : []), ''].join('\n');
}

/** A table of GitHub Markdown, aligned as well. */
export function asMarkdown({ title, columns, rows, notes }: Table): string {
  const cells = [columns, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = columns.map((_, i) => Math.max(3, ...cells.map((row) => lengthOf(row[i] ?? ''))));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  const [head, ...body] = cells;
  return [`**${title}**`, '', line(head!), rule, ...body.map(line), '', ...notes.flatMap((note) => [note, ''])].join(
    '\n',
  );
}

function lengthOf(text: string): number {
  return [...text].length;
}
