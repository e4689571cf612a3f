/**
 * The corpus: inputs that reached new code in the parsers, by target. Each target has one file with one input per line, as JSON text with
 * a character for each octet. The lines are sorted, so that additions are easy to review.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { TargetName } from './target.fixture.ts';

function fileOf(target: TargetName): URL {
  return new URL(`../../../fuzz-corpus/${target}.jsonl`, import.meta.url);
}

export function loadCorpus(target: TargetName): readonly string[] {
  if (!existsSync(fileOf(target))) return [];
  return readFileSync(fileOf(target), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): string => JSON.parse(line));
}

export function saveCorpus(target: TargetName, inputs: readonly string[]): void {
  const lines = inputs.map((input) => asciiJson(input)).sort();
  writeFileSync(fileOf(target), `${lines.join('\n')}\n`);
}

/** `octets` as JSON text in which all octets but visible ASCII are escaped. */
export function asciiJson(octets: string): string {
  return JSON.stringify(octets).replace(
    /[\x7f-\xff]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
