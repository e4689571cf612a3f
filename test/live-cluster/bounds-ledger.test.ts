import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BoundsAnswer, judgeBounds } from './bounds-ledger.ts';
import { assertNoneMoved, type BoundsOutcome } from './bounds-run.ts';
import { judge, type Life } from './judge.ts';
import type { NodeLine, Visit } from './ledger.ts';

const LIVES: readonly Life[] = ['n1', 'n2'].map((node) => ({
  instance: `${node}#1`,
  node,
  site: 'bounds',
  upMs: 0,
  endMs: Number.POSITIVE_INFINITY,
  deadMs: Number.POSITIVE_INFINITY,
  end: 'none',
}));

/** Visits of one user; each is answered by an instance with a count. */
function visitsOf(...answers: readonly (readonly [instance: string, count: number])[]): Visit[] {
  return answers.map(([instance, count], index) => ({
    id: `v${index}`,
    site: 'bounds',
    session: 'bounds/0',
    index,
    kind: 'get',
    dueMs: index * 500,
    sentMs: index * 500,
    doneMs: index * 500 + 5,
    status: 200,
    instance,
    count,
  }));
}

const CUT: BoundsAnswer = {
  id: 'bounds-0',
  kind: 'stream',
  sentMs: 0,
  doneMs: 2_000,
  end: 'cut',
  status: 200,
  instance: 'n1#1',
};
const AT_N1: NodeLine = { instance: 'n1#1', id: 'bounds-0', event: 'start', atMs: 1 };

function outcomeOf(
  visits: readonly Visit[],
  answers: readonly BoundsAnswer[] = [CUT],
  nodeLines: readonly NodeLine[] = [AT_N1],
): BoundsOutcome {
  return {
    users: judge(visits, LIVES, new Map()),
    bounds: judgeBounds(answers, nodeLines, 'n1#1'),
    usersAtTarget: 1,
    usersLost: 0,
  };
}

test('a session that stays at its instance passes', () => {
  assert.doesNotThrow(() => assertNoneMoved(outcomeOf(visitsOf(['n1#1', 1], ['n1#1', 2], ['n1#1', 3]))));
});

test('a session that another instance answers is found, also when it returns', () => {
  for (const visits of [visitsOf(['n1#1', 1], ['n2#1', 1]), visitsOf(['n1#1', 1], ['n2#1', 1], ['n1#1', 2])])
    assert.throws(() => assertNoneMoved(outcomeOf(visits)), /sessions that moved/);
});

test('a lost count at the same instance, a repeated request and a failed one are found', () => {
  const failed = visitsOf(['n1#1', 1]).map((visit) => ({ ...visit, status: 502 }));
  for (const visits of [visitsOf(['n1#1', 1], ['n1#1', 1]), visitsOf(['n1#1', 1], ['n1#1', 3]), failed])
    assert.throws(() => assertNoneMoved(outcomeOf(visits)), /requests of users that failed/);
});

test('a request of the bounds client that reaches another node is found, also when the proxy answered it', () => {
  const user = visitsOf(['n1#1', 1]);
  const elsewhere = { ...AT_N1, instance: 'n2#1' };
  assert.throws(() => assertNoneMoved(outcomeOf(user, [CUT], [AT_N1, elsewhere])), /left their node/);
  assert.throws(() => assertNoneMoved(outcomeOf(user, [{ ...CUT, instance: 'n2#1' }])), /left their node/);
});

test('each kind has its own outcomes, and any other is found', () => {
  const user = visitsOf(['n1#1', 1]);
  const { instance: _, ...byProxy } = CUT;
  const poll = { ...byProxy, kind: 'poll', end: 'whole' } as const;
  const fields = { ...byProxy, kind: 'fields', end: 'whole' } as const;
  const allowed: readonly BoundsAnswer[] = [
    { ...poll, status: 504 },
    { ...poll, status: 200, instance: 'n1#1' },
    { ...fields, status: 502 },
    { ...CUT, kind: 'stalled' },
    { ...CUT, kind: 'upload', status: 413, end: 'whole' },
    { ...CUT, end: 'left' },
  ];
  assert.doesNotThrow(() => assertNoneMoved(outcomeOf(user, allowed)));
  assert.equal(judgeBounds(allowed, [], 'n1#1').outcomes.poll.get('504'), 1);
  const forbidden: readonly BoundsAnswer[] = [
    { ...poll, status: 503 },
    { ...fields, status: 200, instance: 'n1#1' },
    { ...fields, status: 504 },
    { ...CUT, end: 'whole' },
    { ...byProxy, end: 'failed', error: 'ECONNRESET' },
  ];
  for (const answer of forbidden)
    assert.throws(() => assertNoneMoved(outcomeOf(user, [answer])), /of no expected kind/, JSON.stringify(answer));
});
