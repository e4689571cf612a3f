/** Words of a command line, checked. Each throws a BenchError that names the flag and says what it takes. */
import { BenchError } from './bench-error.ts';

/** Names separated by commas; empty without the flag. */
export function nameList(flag: string, text: string | undefined, known: readonly string[]): readonly string[] {
  const all = (text ?? '').split(',').filter((name) => name !== '');
  const unknown = all.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new BenchError(`${flag} ${unknown}: there is ${known.join(', ')}`);
  if (text !== undefined && all.length === 0) throw new BenchError(`${flag} needs a name of ${known.join(', ')}`);
  return all;
}

/** A whole number within bounds; `undefined` without the flag. */
export function wholeNumber(
  flag: string,
  text: string | undefined,
  lowest: number,
  highest: number,
): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() === '' || !Number.isInteger(number) || number < lowest || number > highest)
    throw new BenchError(`${flag} ${text}: it must be a whole number from ${lowest} to ${highest}`);
  return number;
}
