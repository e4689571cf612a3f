import { readFileSync } from 'node:fs';

/** One case of the corpus, reduced to the parts that parsers need. */
export interface CorpusCase {
  readonly id: string;
  /** All octets of the client, latin1 text. */
  readonly octets: string;
}

/** The request cases of the project's corpora of HTTP cases. */
export function requestCases(): readonly CorpusCase[] {
  return [...casesOf('cases.json'), ...casesOf('own-cases.json')];
}

function casesOf(name: string): CorpusCase[] {
  const path = new URL(`../../../../test/http-cases/${name}`, import.meta.url);
  const file: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const cases: CorpusCase[] = [];
  for (const one of isRecord(file) && Array.isArray(file['cases']) ? file['cases'] : [])
    if (isRecord(one) && one['kind'] === 'request' && typeof one['id'] === 'string' && Array.isArray(one['send']))
      cases.push({ id: one['id'], octets: one['send'].map(partText).join('') });
  return cases;
}

function partText(part: unknown): string {
  if (typeof part === 'string') return part;
  if (!isRecord(part)) return '';
  if (typeof part['repeat'] === 'string' && typeof part['times'] === 'number')
    return part['repeat'].repeat(part['times']);
  return typeof part['dribble'] === 'string' ? part['dribble'] : '';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
