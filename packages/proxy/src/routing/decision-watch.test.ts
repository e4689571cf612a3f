import assert from 'node:assert/strict';
import { test } from 'node:test';
import { feedNode, goneChange, TestCluster } from '../cluster/cluster.fixture.ts';
import { FAILURE } from '../engine/failure.ts';
import { ManualDelays } from '../feed/delay.fixture.ts';
import { DecisionWatch } from './decision-watch.ts';

function watched(...ids: readonly string[]) {
  const cluster = new TestCluster();
  cluster.fill(ids.map((id) => feedNode(id)));
  const delay = new ManualDelays();
  const watch = new DecisionWatch({ router: cluster.router, delay: delay.delay, nowUnixMs: () => 7 });
  return { cluster, delay, watch };
}

void test('decisions are reported with candidates, scores and reason, until their number is reached', async () => {
  const { cluster, watch } = watched('a', 'b');
  const all = watch.watch({ count: 3, forMs: 1_000, onlyPicks: false });
  const picks = watch.watch({ count: 1, forMs: 1_000, onlyPicks: true });
  cluster.request('rc_route=b', '/cart;jsessionid=secret?token=secret');
  cluster.request('', '/login?password=secret');
  const { decisions } = await picks;
  const [pick] = decisions;
  assert.ok(pick);
  assert.deepEqual(
    [pick.path, pick.host, pick.method, pick.result, pick.atUnixMs],
    ['/login', 'site.example', 'GET', 'new', 7],
  );
  assert.match(pick.because, /^new session, placed by session$/);
  assert.deepEqual(pick.candidates.map(({ id }) => id).sort(), ['a', 'b']);
  assert.equal(pick.candidates[0]?.id, pick.chosen);
  assert.ok(pick.candidates.every(({ score }) => score !== undefined));
  assert.equal(pick.candidateCount, 2);
  cluster.request('rc_route=a');
  const decidedLines = (await all).decisions.map(({ result, chosen, path, candidates }) => [
    result,
    chosen,
    path,
    candidates.length,
  ]);
  assert.deepEqual(decidedLines, [
    ['sticky', 'b', '/cart', 0],
    ['new', pick.chosen, '/login', 2],
    ['sticky', 'a', '/', 0],
  ]);
  assert.equal(cluster.router.onDecision, undefined, 'no watcher is left');
  assert.ok(!JSON.stringify([await all, pick]).includes('secret'));
});

void test('a retry reports the nodes that have failed, and the time limit ends the watch', async () => {
  const { cluster, delay, watch } = watched('a', 'b');
  const decided = watch.watch({ count: 10, forMs: 1_000, onlyPicks: true });
  const first = cluster.ask();
  cluster.fail(first, FAILURE.refused);
  delay.advance(1_000);
  const [, again] = (await decided).decisions;
  assert.ok(again);
  assert.notEqual(again.chosen, first.node);
  const reasons = again.candidates.map(({ reason }) => reason);
  assert.equal(
    reasons.filter((reason) => reason === 'it was tried and failed').length,
    1,
    'it is named, and is not a candidate',
  );
});

void test('a decision without a node has what has happened to the nodes', async () => {
  const { cluster, watch } = watched('a');
  cluster.change(goneChange('a', 'refused'));
  cluster.clock.advance(40_000);
  const decided = watch.watch({ count: 1, forMs: 1_000, onlyPicks: false });
  assert.equal(cluster.ask().choice, 'unavailable');
  assert.match((await decided).decisions[0]?.because ?? '', /^no node is eligible: .*\(a\); to do: /);
});

void test('a fifth watcher gets no decisions, and close ends all watches', async () => {
  const { watch, delay } = watched('a');
  const watchers = Array.from({ length: 4 }, () => watch.watch({ count: 1, forMs: 1_000, onlyPicks: false }));
  let isOver = false;
  const fifth = watch.watch({ count: 1, forMs: 500, onlyPicks: false }).finally(() => {
    isOver = true;
  });
  await Promise.resolve();
  assert.equal(isOver, false, 'it waits like the others');
  delay.advance(500);
  assert.deepEqual(await fifth, { type: 'decisions', decisions: [] });
  watch.close();
  for (const { decisions } of await Promise.all(watchers)) assert.deepEqual(decisions, []);
});
