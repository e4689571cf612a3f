import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Confirmations } from './confirmations.ts';

type Step = readonly ['request' | 'add' | 'confirm' | 'drop', string];

/** Names the steps that completed the status. */
function completedBy(...steps: readonly Step[]): string[] {
  const confirmations = new Confirmations<string>();
  return steps
    .filter(([what, who]) => {
      if (what === 'request') confirmations.request(who);
      else if (what === 'add') confirmations.add(who);
      else return confirmations[what](who);
      return false;
    })
    .map((step) => step.join(' '));
}

for (const [title, steps, completed] of [
  [
    'one coordinator',
    [
      ['request', 'a'],
      ['confirm', 'a'],
      ['confirm', 'a'],
    ],
    ['confirm a'],
  ],
  [
    'two coordinators',
    [
      ['request', 'ab'],
      ['confirm', 'b'],
      ['confirm', 'a'],
    ],
    ['confirm a'],
  ],
  [
    'one is lost after the other',
    [
      ['request', 'ab'],
      ['confirm', 'b'],
      ['drop', 'a'],
    ],
    ['drop a'],
  ],
  [
    'one is lost before the other',
    [
      ['request', 'ab'],
      ['drop', 'a'],
      ['confirm', 'b'],
    ],
    ['confirm b'],
  ],
  [
    'all are lost',
    [
      ['request', 'ab'],
      ['drop', 'a'],
      ['drop', 'b'],
    ],
    [],
  ],
  [
    'none was registered',
    [
      ['request', ''],
      ['drop', 'a'],
      ['add', 'a'],
      ['confirm', 'a'],
    ],
    ['confirm a'],
  ],
  [
    'one returns',
    [
      ['request', 'ab'],
      ['drop', 'a'],
      ['add', 'a'],
      ['confirm', 'b'],
      ['confirm', 'a'],
    ],
    ['confirm a'],
  ],
  [
    'a new status',
    [
      ['request', 'a'],
      ['confirm', 'a'],
      ['request', 'a'],
      ['confirm', 'a'],
    ],
    ['confirm a', 'confirm a'],
  ],
] as const)
  test(`a status is complete: ${title}`, () => {
    assert.deepEqual(completedBy(...steps), completed);
  });
