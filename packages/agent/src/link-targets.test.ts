import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linkTargets, type TargetFacts, targetKey } from './link-targets.ts';

const NOTHING: TargetFacts = { configured: ['a'], areAlternatives: false, announced: [], names: [] };
const name = (url: string, address: string, ...addresses: string[]) => ({ url, address, addresses });

for (const [title, facts, keys] of [
  ['each configured coordinator', { configured: ['a', 'b'] }, ['a ', 'b ']],
  ['alternatives are one link', { configured: ['a', 'b'], areAlternatives: true }, ['a ']],
  ['announced coordinators are added once', { announced: ['b', 'a', 'b'] }, ['a ', 'b ']],
  [
    'an announced alternative is not added',
    { configured: ['a', 'b'], areAlternatives: true, announced: ['b', 'c'] },
    ['a ', 'c '],
  ],
  ['other addresses of a name', { names: [name('a', '10.0.0.1', '10.0.0.2', '10.0.0.1')] }, ['a ', 'a 10.0.0.2']],
  [
    'at most five, addresses of names last',
    { configured: ['a', 'b', 'c'], announced: ['d'], names: [name('a', '1', '1', '2', '3', '4')] },
    ['a ', 'b ', 'c ', 'd ', 'a 2'],
  ],
] as const)
  test(`targets: ${title}`, () => {
    assert.deepEqual(linkTargets({ ...NOTHING, ...facts }).map(targetKey), keys);
  });
