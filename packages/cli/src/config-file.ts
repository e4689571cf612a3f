/** `rollcall.json`: the options of `up` under their long names in camelCase. Weaker than flags and environment. */
import { readFileSync } from 'node:fs';
import { isObject } from '@rollcall/protocol';
import type { Command } from 'commander';
import { CliFailure, EXIT } from './exit.ts';

const DEFAULT_FILE = 'rollcall.json';

/** Gives `command` the values of its settings file for options that nothing stronger has set. */
export function applyConfigFile(command: Command): void {
  const named: unknown = command.getOptionValue('config');
  const path = typeof named === 'string' ? named : DEFAULT_FILE;
  const settings = readSettings(path, typeof named === 'string');
  const options = command.options.filter((option) => option.long !== '--config' && option.long !== '--json');
  for (const [key, value] of Object.entries(settings)) {
    const option = options.find((candidate) => candidate.attributeName() === key);
    if (!option)
      throw new CliFailure(
        `${path}: unknown key ${JSON.stringify(key)}${suggestion(
          key,
          options.map((known) => known.attributeName()),
        )}`,
        EXIT.usage,
      );
    const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
    if (option.variadic ? !isList : typeof value !== 'string' && typeof value !== 'number')
      throw new CliFailure(`${path}: ${key} is not ${option.variadic ? 'a list of texts' : 'text'}`, EXIT.usage);
    const source = command.getOptionValueSource(key);
    if (source === undefined || source === 'default')
      command.setOptionValueWithSource(key, option.variadic ? value : String(value), 'config');
  }
}

function readSettings(path: string, isNamed: boolean): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!isNamed && (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new CliFailure(`cannot read ${path}: ${(error as Error).message}`, EXIT.usage);
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (isObject(parsed)) return parsed;
  } catch (error) {
    throw new CliFailure(`${path} is not JSON: ${(error as Error).message}`, EXIT.usage);
  }
  throw new CliFailure(`${path} is not a JSON object`, EXIT.usage);
}

/** `; did you mean "proxy"?` for the nearest known key, or nothing when none is near. */
function suggestion(key: string, known: readonly string[]): string {
  const nearest = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return nearest && nearest.distance <= Math.max(2, key.length / 3)
    ? `; did you mean ${JSON.stringify(nearest.name)}?`
    : '';
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
