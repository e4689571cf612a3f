/** The check of operators' requests finds lost requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeResource } from '@rollcall/protocol';
import { type Asked, lostRequests, type OperatorRequest } from './requests.ts';
import type { View } from './view.ts';

const WEIGHT: OperatorRequest = { type: 'weight', at: 0, node: 'n1', atMs: 1, body: { weight: 2 } };
const DRAIN: OperatorRequest = { type: 'drain', at: 0, node: 'n1', atMs: 1, body: { reason: 'x', forMs: 1_000 } };
const BOTH = { applied: ['a', 'b'], pending: [], absent: [] };
const PENDING = { applied: ['a'], pending: ['b'], absent: [] };

function view(weight: number, reason?: string): View {
  const wanted = reason === undefined ? { status: 'enabled' } : { status: 'draining', reason };
  const node = { id: 'n1', weight, wanted } as unknown as NodeResource;
  return { nodes: new Map([['n1', node]]), balancers: [], sharing: undefined, lines: [] };
}

function lost(asked: Partial<Asked>, views: readonly View[], atMs = 100): string {
  return lostRequests([{ request: WEIGHT, sentMs: 0, ...asked }], views, atMs).join();
}

test('a request that is in force at both, and one without an answer, are not lost', () => {
  assert.equal(lost({ status: 200, coordinators: BOTH }, [view(2), view(2)]), '');
  assert.equal(lost({ status: 202, coordinators: PENDING }, [view(2), view(2)]), '');
  assert.equal(lost({ error: 'refused' }, [view(1), view(1)]), '');
});

test('a request that was accepted and is not in force is lost, also if it was pending', () => {
  assert.match(lost({ status: 200, coordinators: BOTH }, [view(2), view(1)]), /is lost at b$/);
  assert.match(lost({ status: 202, coordinators: PENDING }, [view(1), view(1)]), /is lost at a and b$/);
});

test('an answer that claims too much is found', () => {
  assert.match(lost({ status: 200, coordinators: BOTH, isUntrue: true }, [view(2), view(2)]), /did not have it/);
  assert.match(lost({ status: 200, coordinators: PENDING }, [view(2), view(2)]), /answered with 200/);
  assert.match(lost({ status: 202, coordinators: BOTH }, [view(2), view(2)]), /pending nowhere/);
  assert.match(lost({ status: 500 }, [view(2), view(2)]), /answered with 500/);
});

test('a drain is looked for until its time is over', () => {
  const drain = { request: DRAIN, status: 200, coordinators: BOTH };
  assert.match(lost(drain, [view(1, 'x'), view(1)], 900), /is lost at b$/);
  assert.equal(lost(drain, [view(1), view(1)], 1_100), '');
});
