/** The judge on crafted ledgers: each kind of failure is found and correct runs have no complaint. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './judge.ts';
import type { Exchange, Ledger, Outage } from './ledger.ts';
import { complaints } from './scenario.ts';

const FAULT_MS = 1_000;
let count = 0;

/** An answer of `instance` (`n1#1`), by default at the instant of its arrival. */
function answered(session: string, instance: string, arrivedMs: number, more: Partial<Answered> = {}): Exchange {
  const { atMs = arrivedMs, fresh = false, method = 'GET', endMs = atMs, worker } = more;
  const node = instance.split('#')[0]!;
  const answer = { node, instance, fresh, atMs };
  const id = `r${count++}`;
  return { id, session, method, arrivedMs, endMs, status: 200, answer, ...(worker !== undefined && { worker }) };
}

interface Answered {
  readonly atMs: number;
  readonly endMs: number;
  readonly fresh: boolean;
  readonly method: 'GET' | 'POST';
  readonly worker: number;
}

function failed(method: 'GET' | 'POST', arrivedMs: number, status?: number): Exchange {
  const error = status === undefined ? 'ECONNRESET' : `status ${status}`;
  return {
    id: `r${count++}`,
    session: 's',
    method,
    arrivedMs,
    endMs: arrivedMs + 10,
    error,
    ...(status && { status }),
  };
}

function ledger(exchanges: readonly Exchange[], more: Partial<Ledger> = {}): Ledger {
  return { exchanges, faultMs: FAULT_MS, inForceMs: FAULT_MS + 5, outages: [], broken: [], ...more };
}

const N1_FOR_GOOD: Outage = { node: 'n1', fromMs: FAULT_MS, toMs: Number.POSITIVE_INFINITY };

test('a run without a fault has no complaint', () => {
  const verdict = judge(ledger([answered('a', 'n1#1', 0, { fresh: true }), answered('a', 'n1#1', 2_000)]), 0);
  assert.deepEqual(complaints({ failed: 0, lost: 'none', splits: 0, foreign: 0, failedFromMs: 0 }, verdict), []);
});

test('a POST that was sent before the fault may end in 502 or 504, and in nothing else', () => {
  const sent = [failed('POST', 900, 502), failed('POST', 1_004, 504), failed('POST', 900), failed('POST', 900, 503)];
  const { excused, failedPosts } = judge(ledger(sent), 0);
  assert.equal(excused, 2);
  assert.deepEqual(failedPosts, sent.slice(2));
});

test('after an excused POST a session moves with its next request', () => {
  const post = { ...failed('POST', 990, 502), session: 'a' };
  const sent = [answered('a', 'n1#1', 500), post, answered('a', 'n2#1', 2_000, { endMs: 2_200, fresh: true })];
  assert.equal(judge(ledger(sent, { outages: [N1_FOR_GOOD] }), 0).slowestMoveMs, 200);
});

test('a GET and a later POST are not excused', () => {
  const sent = [failed('GET', 900, 502), failed('POST', 1_006, 502)];
  const verdict = judge(ledger(sent), 0);
  assert.equal(verdict.excused, 0);
  assert.equal(verdict.failedGets.length, 1);
  assert.equal(verdict.failedPosts.length, 1);
  assert.match(complaints({ failed: 0 }, verdict).join(), /1 GET and 1 POST failed/);
});

test('failures count as late from the given time on', () => {
  const verdict = judge(ledger([failed('GET', 4_999, 503), failed('GET', 5_000, 503)]), 4_000);
  assert.equal(verdict.failedLate.length, 1);
  assert.equal(verdict.late, 1);
  assert.match(complaints({ failedFromMs: 4_000 }, verdict).join(), /1 failed that arrived 4000 ms/);
});

test('a run in which nothing arrived late cannot pass', () => {
  const verdict = judge(ledger([answered('a', 'n1#1', 0)]), 4_000);
  assert.match(complaints({ failedFromMs: 4_000 }, verdict).join(), /no request arrived late/);
});

test('a session of a failed node that moves once has lost its state once', () => {
  const moved = [
    answered('a', 'n1#1', 900),
    answered('a', 'n2#1', 1_200, { fresh: true, endMs: 1_300 }),
    answered('a', 'n2#1', 1_400),
  ];
  const verdict = judge(ledger(moved, { outages: [N1_FOR_GOOD] }), 0);
  assert.deepEqual(verdict.hitLost, { never: 0, once: 1, more: 0 });
  assert.equal(verdict.splits, 0);
  assert.equal(verdict.slowestMoveMs, 100);
  assert.deepEqual(complaints({ lost: 'once', splits: 0, movedWithinMs: 1_000 }, verdict), []);
  assert.match(complaints({ lost: 'none' }, verdict).join(), /lost their state 1 times/);
  assert.match(complaints({ movedWithinMs: 99 }, verdict).join(), /moved after 100 ms/);
});

test('a session of a node that still answered while the fault came into force was hit', () => {
  const own = [answered('a', 'n1#1', 1_003), answered('a', 'n2#1', 1_200, { fresh: true })];
  const moved = [answered('b', 'n1#1', 900), answered('b', 'n2#1', 1_004, { fresh: true })];
  const verdict = judge(ledger([...own, ...moved], { outages: [N1_FOR_GOOD] }), 0);
  assert.deepEqual(verdict.hitLost, { never: 0, once: 2, more: 0 });
  assert.equal(verdict.otherLost.sessions, 0);
});

test('a session that is answered fresh by two nodes after one loss is split', () => {
  const split = [
    answered('a', 'n1#1', 900),
    answered('a', 'n2#1', 1_200, { fresh: true }),
    answered('a', 'n3#1', 1_300, { fresh: true }),
  ];
  const verdict = judge(ledger(split, { outages: [N1_FOR_GOOD] }), 0);
  assert.deepEqual(verdict.hitLost, { never: 0, once: 0, more: 1 });
  assert.equal(verdict.splits, 1);
  assert.equal(complaints({ lost: 'once', splits: 0 }, verdict).length, 2);
});

test('a session that returns to what an instance remembers of it has lost its state again', () => {
  const back = [
    answered('a', 'n1#1', 900),
    answered('a', 'n2#1', 1_200, { fresh: true }),
    answered('a', 'n1#1', 1_600),
  ];
  const verdict = judge(ledger(back, { outages: [{ node: 'n1', fromMs: FAULT_MS, toMs: 1_500 }] }), 0);
  assert.equal(verdict.losses, 2);
  assert.equal(verdict.splits, 1);
});

test('answers are ordered by when nodes gave them, not by when requests arrived', () => {
  const crossed = [
    answered('a', 'n1#1', 900),
    answered('a', 'n2#1', 1_200, { fresh: true }),
    // Waited at the frozen node and was repeated elsewhere.
    answered('a', 'n2#1', 1_100, { atMs: 1_500 }),
  ];
  assert.equal(judge(ledger(crossed, { outages: [N1_FOR_GOOD] }), 0).losses, 1);
});

test('a session of a node that is well may not move', () => {
  const strayed = [answered('a', 'n2#1', 900), answered('a', 'n3#1', 1_200, { fresh: true })];
  const verdict = judge(ledger(strayed, { outages: [N1_FOR_GOOD] }), 0);
  assert.deepEqual(verdict.otherLost, { sessions: 1, most: 1 });
  assert.match(complaints({ lost: 'once' }, verdict).join(), /hit no session.*1 other sessions/);
});

test('sessions of a node that fails several times move to another node once', () => {
  const sessions = [
    answered('a', 'n1#1', 900),
    answered('a', 'n2#1', 1_200, { fresh: true }),
    answered('b', 'n1#2', 3_000, { fresh: true }),
    answered('b', 'n2#1', 4_200, { fresh: true }),
    // Asked nothing during the first outage.
    answered('c', 'n1#1', 950),
    answered('c', 'n1#2', 3_100, { fresh: true }),
    answered('c', 'n2#1', 4_300, { fresh: true }),
  ];
  const outages = [
    { node: 'n1', fromMs: FAULT_MS, toMs: 2_900 },
    { node: 'n1', fromMs: 4_000, toMs: 5_000 },
  ];
  const twice = [...sessions, answered('a', 'n3#1', 4_400, { fresh: true })];
  assert.match(complaints({ lost: 'once-repeatedly' }, judge(ledger(twice, { outages }), 0)).join(), /moved 2 times/);
  const verdict = judge(ledger(sessions, { outages }), 0);
  assert.deepEqual(complaints({ lost: 'once-repeatedly', splits: 0 }, verdict), []);
  assert.match(complaints({ lost: 'once' }, verdict).join(), /1 other sessions/);
});

test('requests to a foreign program and broken tunnels are found', () => {
  const verdict = judge(ledger([answered('a', 'foreign#7', 1_500)], { broken: ['tunnel closed with 1006'] }), 0);
  assert.equal(complaints({ foreign: 0 }, verdict).length, 2);
});

test('of two workers only the judged one counts for lost sessions', () => {
  const both = [
    answered('a', 'n1#1', 900, { worker: 1 }),
    answered('a', 'n2#1', 1_200, { worker: 2, fresh: true }),
    answered('a', 'n1#1', 1_300, { worker: 1 }),
  ];
  assert.equal(judge(ledger(both, { judgedWorker: 1 }), 0).losses, 0);
  assert.equal(judge(ledger(both), 0).losses, 2);
  const none = judge(ledger(both, { judgedWorker: 3 }), 0);
  assert.match(complaints({ lost: 'none' }, none).join(), /no answer could be judged/);
});
