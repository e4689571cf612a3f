import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Decision } from '@rollcall/feed';
import { Site } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

test('an operator sees the decisions of two workers with their reasons as they are made', async (t) => {
  const site = await Site.start(t, { flags: ['--workers', '2'] });
  for (const id of ['a', 'b']) await site.addNode(id, { balancer: 'shop' }, (_request, response) => response.end(id));
  const live = site.cli('explain', '--live', '--count', '6', '--for', '20s');
  const picks = site.json<{ decisions: readonly Decision[] }>(
    'explain',
    '--live',
    '--picks',
    '--count',
    '2',
    '--for',
    '20s',
  );
  const answers = Promise.all([live, picks]);
  const [{ code, stdout }, { decisions }] = await visitUntil(site.proxyPort, answers);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /GET site\.test\/cart {2}→ [ab]: new session, placed by session\n +scores: [ab] [\d.]+.*, [ab] [\d.]+/,
  );
  assert.match(stdout, /→ [ab]: its session lives there/);
  assert.doesNotMatch(stdout, /secret/);
  assert.equal(decisions.length, 2);
  for (const { chosen, candidates, result } of decisions)
    assert.deepEqual([result, candidates[0]?.id], ['new', chosen]);
});

/** Visitors in sequence with two visits each; resolves after the end of the last visit. */
async function visitUntil<Result>(port: number, result: Promise<Result>): Promise<Result> {
  let isSettled = false;
  const settled = result.finally(() => (isSettled = true));
  while (!isSettled) {
    const visitor = new Visitor(port);
    await visitor.get('/cart?token=secret');
    await visitor.get('/cart');
    await Promise.race([settled, setTimeout(20)]);
  }
  return settled;
}
