import { readFileSync } from 'node:fs';
import { requestCases } from '../case-corpus.fixture.ts';
import { loadCorpus } from './corpus.fixture.ts';
import type { TargetName } from './target.fixture.ts';

const MAX_OCTETS = 4_000;

/** First inputs of a run: the HTTP cases, and findings of earlier runs. */
export function seedsOf(target: TargetName): string[] {
  const isResponse = target === 'response' || target === 'head-response';
  const requests = requestCases().map(({ octets }) => octets);
  const fromCases = isResponse
    ? responseCases()
    : target === 'request'
      ? requests
      : requests
          .filter((octets) => /chunked\r\n/i.test(octets))
          .map((octets) => octets.slice(octets.indexOf('\r\n\r\n') + 4));
  return [...fromCases, ...loadCorpus(target)].filter((octets) => octets.length > 0 && octets.length < MAX_OCTETS);
}

/** Answers of the nodes in the response cases. */
function responseCases(): string[] {
  const answers: string[] = [];
  for (const name of ['cases.json', 'own-cases.json']) {
    const path = new URL(`../../../../../test/http-cases/${name}`, import.meta.url);
    const file = JSON.parse(readFileSync(path, 'utf8')) as { cases: { upstream?: { send: unknown[] } }[] };
    for (const { upstream } of file.cases)
      if (upstream) answers.push(upstream.send.filter((part): part is string => typeof part === 'string').join(''));
  }
  return answers;
}
