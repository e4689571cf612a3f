/** CSV (RFC 4180): one record per line, with a heading. */
import { type Column, cellOf } from '../screen/fitted-table.ts';

export function csvLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const record = (fields: readonly string[]): string => fields.map(quoted).join(',');
  return [
    record(columns.map(({ heading }) => heading.toLowerCase().replaceAll(' ', '-'))),
    ...rows.map((row) => record(columns.map((column) => cellOf(column, row).text))),
  ];
}

function quoted(field: string): string {
  return /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
