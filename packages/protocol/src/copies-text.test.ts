import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopiesResource } from './admin.ts';
import { copiesText } from './copies-text.ts';

const port = (copy: number, host?: string) => ({
  copy,
  attempts: 4,
  cause: `port ${34_100 + copy} is taken`,
  ...(host !== undefined && { host }),
});
const ended = (copy: number) => ({ copy, attempts: 4, cause: 'the program has ended with 1' });

const TEXTS: readonly [resource: Partial<CopiesResource>, text: string][] = [
  [{ wanted: 3, up: 3 }, '3 up'],
  [{ wanted: 6, up: 5, drained: 1 }, '5 up, 1 drained by an operator'],
  [{ wanted: 9, up: 6 }, '6 up, 3 not up yet'],
  [{ wanted: 9, up: 7, failing: [port(9)] }, '7 up, 1 not up yet, 1 failing: copy 9: port 34109 is taken'],
  // A copy that ends again and again counts as failing while it is up.
  [{ wanted: 2, up: 2, failing: [ended(2)] }, '2 up, 1 failing: copy 2: the program has ended with 1'],
  [
    { wanted: 4, up: 1, failing: [ended(2), ended(3), port(4, 'web2')] },
    '1 up, 3 failing: copies 2, 3: the program has ended with 1; copy 4 at web2: port 34104 is taken',
  ],
  [
    { wanted: 6, up: 1, failing: [port(2), port(3), port(4), port(5), port(6)] },
    '1 up, 5 failing: copy 2: port 34102 is taken; copy 3: port 34103 is taken; copy 4: port 34104 is taken; and 2 more',
  ],
];

for (const [resource, text] of TEXTS)
  test(text, () => {
    const whole = { wanted: 0, kept: 0, wrappers: 1, up: 0, drained: 0, failing: [], ...resource };
    assert.equal(copiesText(whole), text);
  });
