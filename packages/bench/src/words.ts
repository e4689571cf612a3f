/** Parses options. Each function throws a BenchError that names the flag and its valid values. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { BenchError } from './bench-error.ts';

type Flags = NonNullable<ParseArgsConfig['options']>;
type Values<Known extends Flags> = ReturnType<typeof parseArgs<{ args: string[]; options: Known }>>['values'];

/** Kinds of flags for `flagsOf`. */
export const TEXT = { type: 'string' } as const;
export const SWITCH = { type: 'boolean' } as const;

/** The values of `flags` in `words`. Throws for unknown flags; the error names `help`, the command that lists the flags. */
export function flagsOf<Known extends Flags>(words: readonly string[], flags: Known, help: string): Values<Known> {
  try {
    return parseArgs({ args: [...words], options: flags }).values;
  } catch (error) {
    throw new BenchError(`${(error as Error).message.split('. ')[0]}; see ${help}`);
  }
}

/** Names separated by commas; empty without the flag. Throws for names that are not in `known`. */
export function nameList(flag: string, text: string | undefined, known: readonly string[]): readonly string[] {
  const all = (text ?? '').split(',').filter((name) => name !== '');
  const unknown = all.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new BenchError(`${flag} ${unknown}: known are ${known.join(', ')}`);
  if (text !== undefined && all.length === 0) throw new BenchError(`${flag} needs a name of ${known.join(', ')}`);
  return all;
}

/** An integer from `lowest` to `highest`; `undefined` without the flag. */
export function wholeNumber(
  flag: string,
  text: string | undefined,
  lowest: number,
  highest: number,
): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() === '' || !Number.isInteger(number) || number < lowest || number > highest)
    throw new BenchError(`${flag} ${text}: must be an integer from ${lowest} to ${highest}`);
  return number;
}
