/** The output of a benchmark: text, JSON and Markdown. */
import { writeFileSync } from 'node:fs';
import type { Mode } from '../options.ts';
import type { Machine } from '../system/machine.ts';
import { asMarkdown, asText, type Table } from './table.ts';

export interface Report {
  readonly mode: Mode | 'control';
  /** Wall clock, ISO 8601. */
  readonly date: string;
  /** The command. */
  readonly command: string;
  /** Revision of the working tree, with `+` when it was changed since. */
  readonly revision: string;
  readonly machine: Machine;
  /** Versions by contender. */
  readonly versions: Readonly<Record<string, string>>;
  /** Sentences about skipped parts. */
  readonly leftOut: readonly string[];
  readonly tables: readonly Table[];
  /** All samples; its shape depends on the mode. */
  readonly data: object;
}

export function reportText({ tables, leftOut }: Report): string {
  return [...tables.map(asText), ...leftOut.map((line) => `${line}\n`)].join('\n');
}

export function reportMarkdown({ tables, leftOut, ...of }: Report): string {
  const { machine } = of;
  const versions = Object.entries(of.versions).map(([name, version]) => `${name} ${version}`);
  return [
    ...tables.map(asMarkdown),
    ...leftOut.map((line) => `${line}\n`),
    `Measured on ${of.date.slice(0, 10)} at revision ${of.revision} with \`${of.command}\`: ${machine.cpus} CPUs (${machine.cpu}), ${machine.memoryGib} GiB, Linux ${machine.kernel}, Node ${machine.node}${versions.length > 0 ? `; ${versions.join(', ')}` : ''}.\n`,
  ].join('\n');
}

export function reportJson({ tables: _, ...rest }: Report): string {
  // Not a number is not in JSON, which would make it null without a word.
  return `${JSON.stringify(rest, (_key, value: unknown) => (Number.isNaN(value) ? null : value), 2)}\n`;
}

/** Writes to a file, or to standard output for `-`. */
export function write(file: string, text: string): void {
  if (file === '-') process.stdout.write(text);
  else writeFileSync(file, text);
}
