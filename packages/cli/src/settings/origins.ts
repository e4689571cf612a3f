/**
 * Where the options of `up` come from. One setting may have several spellings: `--upstream-timeout 10s` and `--limit upstream-timeout=10s`.
 * The order of the sources holds across spellings; two values from one source are refused.
 */
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import type { Command } from 'commander';
import { CliFailure, EXIT } from '../exit.ts';

export type Source = BalancerSettingsOption['source'];

/** The first source that has a setting is used. */
const ORDER: readonly Source[] = ['flag', 'environment', 'file'];

const PLACES: Readonly<Record<Source, string>> = {
  flag: 'on the command line',
  environment: 'in the environment',
  file: 'in the settings file',
};

/** Names that commander has for the sources of options. */
const SOURCES: Readonly<Record<string, Source>> = { cli: 'flag', env: 'environment', config: 'file' };

/** The source of an option of `up`; `undefined` for a default. */
export type SourceOf = (attribute: string) => Source | undefined;

export function sourcesOf(command: Command): SourceOf {
  return (attribute) => SOURCES[command.getOptionValueSource(attribute) ?? ''];
}

/** One value of a setting. */
export interface Given<Value> {
  readonly source: Source;
  /** The setting: all spellings have the same one. */
  readonly key: string;
  /** Name of the setting in messages. */
  readonly name: string;
  /** As its source spells setting and value. */
  readonly spelling: string;
  readonly value: Value;
}

/** The value in force of each key. Throws a usage failure for two values of one key from one source. */
export function inForce<Value>(given: readonly Given<Value>[]): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const source of ORDER) {
    const ofSource = new Map<string, Given<Value>>();
    for (const one of given) {
      if (one.source !== source) continue;
      const other = ofSource.get(one.key);
      if (other === undefined) ofSource.set(one.key, one);
      else if (JSON.stringify(other.value) !== JSON.stringify(one.value))
        throw new CliFailure(
          `${one.name} has two values ${PLACES[source]}: ${other.spelling} and ${one.spelling}; remove one of them`,
          EXIT.usage,
        );
    }
    for (const [key, { value }] of ofSource) if (!values.has(key)) values.set(key, value);
  }
  return values;
}

/** How a source spells an option of `up`: `--upstream-timeout 10s`, `ROLLCALL_UPSTREAM_TIMEOUT=10s`, `"upstreamTimeout": "10s"`. */
export function spelled(source: Source, long: string, value: string): string {
  if (source === 'flag') return `--${long} ${value}`;
  if (source === 'environment') return `${variableOf(long)}=${value}`;
  const key = long.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
}

export function variableOf(long: string): string {
  return `ROLLCALL_${long.replaceAll('-', '_').toUpperCase()}`;
}
