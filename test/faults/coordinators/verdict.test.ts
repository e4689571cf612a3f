/** The judge of the drills finds each breach of the promise, and has no complaint about a correct run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from '../ledger.ts';
import { type DrillLedger, judgeDrill } from './verdict.ts';

const A = 8081;
const B = 8082;
let count = 0;

function answered(session: string, instance: string, arrivedMs: number, port = A): Exchange {
  const node = instance.split('#')[0]!;
  const answer = { node, instance, fresh: false, atMs: arrivedMs };
  return { id: `r${count++}`, session, method: 'GET', port, arrivedMs, endMs: arrivedMs + 5, status: 200, answer };
}

function reset(arrivedMs: number, endMs: number, port = A): Exchange {
  return { id: `r${count++}`, session: 's', method: 'POST', port, arrivedMs, endMs, error: 'ECONNRESET' };
}

function complaintsOf(exchanges: readonly Exchange[], more: Partial<DrillLedger> = {}): readonly string[] {
  const fine = [answered('fine', 'n9#1', 0), answered('fine', 'n9#1', 10, B)];
  const ledger: DrillLedger = {
    exchanges: [...fine, ...exchanges],
    lateMs: 0,
    killed: [],
    drained: [],
    equalAfterMs: 4_999,
    settledAfterMs: 14_999,
    broken: [],
  };
  return judgeDrill({ ...ledger, ...more }).complaints;
}

const KILLED = [{ port: A, beganMs: 1_000, inForceMs: 1_100 }];

test('a correct run has no complaint', () => {
  assert.deepEqual(complaintsOf([]), []);
});

test('a failed request and a session that moves are breaches', () => {
  assert.match(complaintsOf([reset(1, 2)]).join(), /0 GET and 1 POST failed: .*ECONNRESET/);
  assert.match(complaintsOf([answered('s', 'n1#1', 1), answered('s', 'n2#1', 2)]).join(), /lost their state 1 times/);
});

test('sessions of a node that was drained with a deadline may move, and no others', () => {
  const moved = [answered('s', 'n1#1', 1), answered('s', 'n2#1', 2)];
  assert.deepEqual(complaintsOf(moved, { drained: ['n1'] }), []);
  assert.match(complaintsOf(moved, { drained: ['n3'] }).join(), /lost their state/);
});

test('only requests in flight at the killed machine are excused', () => {
  const excused = judgeDrill({
    exchanges: [answered('s', 'n1#1', 0), reset(900, 1_050), reset(1_050, 1_060)],
    lateMs: 0,
    killed: KILLED,
    drained: [],
    equalAfterMs: 0,
    settledAfterMs: 0,
    broken: [],
  });
  assert.deepEqual([excused.excused, excused.complaints], [2, []]);
  for (const other of [reset(900, 999), reset(1_100, 1_101), reset(900, 1_050, B)])
    assert.match(complaintsOf([other], { killed: KILLED }).join(), /1 POST failed/);
  const refusal: Exchange = { ...reset(900, 1_050), status: 503, error: 'status 503' };
  assert.match(complaintsOf([refusal], { killed: KILLED }).join(), /1 POST failed/);
});

test('a proxy that returns to an earlier instance of a node sends to two of them', () => {
  const both = [answered('s1', 'n1#1', 1), answered('s2', 'n1#2', 20), answered('s3', 'n1#1', 40)];
  assert.match(complaintsOf(both).join(), /two instances of n1 through port 8081 got requests/);
  assert.deepEqual(complaintsOf(both.slice(0, 2)), []);
  // A request that was sent before the change may be answered after it.
  assert.deepEqual(complaintsOf([...both.slice(0, 2), answered('s3', 'n1#1', 22)]), []);
});

test('views that are equal late or never are breaches, and so is what else was wrong', () => {
  assert.match(complaintsOf([], { equalAfterMs: 5_001 }).join(), /equal 5001 ms after healing/);
  assert.match(complaintsOf([], { equalAfterMs: undefined }).join(), /never equal/);
  assert.match(complaintsOf([], { settledAfterMs: 15_001 }).join(), /recovered 15001 ms after healing/);
  assert.match(complaintsOf([], { settledAfterMs: undefined }).join(), /recovered not at all/);
  assert.deepEqual(complaintsOf([], { broken: ['a request is lost'] }), ['a request is lost']);
});
