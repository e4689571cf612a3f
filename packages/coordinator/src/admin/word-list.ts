/** Comma-separated words of a query: each must be a known one. */
import { Refusal } from './refusal.ts';

/** The words of `text`, or `undefined` without it. Throws a Refusal that names the parameter and its values. */
export function wordsOf<Word extends string>(
  parameter: string,
  text: string | undefined,
  known: readonly Word[],
): ReadonlySet<Word> | undefined {
  if (text === undefined) return undefined;
  const words = text.split(',').map((word) => word.trim());
  for (const word of words)
    if (!(known as readonly string[]).includes(word))
      throw new Refusal({
        code: 'bad-field',
        message: `${parameter}: ${JSON.stringify(word.slice(0, 64))} is not one of ${known.join(', ')}`,
      });
  return new Set(words as Word[]);
}

/** A test for texts that contain every word of a search, in any case; `undefined` without a search. */
export function searchOf(query: string | undefined): ((texts: Iterable<string | undefined>) => boolean) | undefined {
  const words = (query ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return undefined;
  return (texts) => {
    const all = [...texts]
      .filter((text) => text !== undefined)
      .join('\n')
      .toLowerCase();
    return words.every((word) => all.includes(word));
  };
}
