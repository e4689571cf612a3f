import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '@rollcall/core';
import { eventLine } from './event-sentence.ts';

const DRAINED = { type: 'drained', id: 'n1', side: 'operator', sessionsSeenOnce: 0, inFlight: 0 };
const STATUS = { type: 'status', id: 'n1', side: 'operator', status: 'draining', effective: 'draining' };
const BUDGET = { type: 'budget', id: 'n1', balancer: 'shop', isOn: false, holdMs: 0, eligible: 1, minEligible: 2 };
const SIDES = { own: { coordinator: 'a', value: '{"weight":2}' }, other: { coordinator: 'b', value: 'none' } };
const LOST = { type: 'conflict-lost', key: 'override/n1', what: 'request', ...SIDES };
const SETTLED = { type: 'settled' };

const SENTENCES: readonly (readonly [event: object, sentence: string])[] = [
  [
    { ...DRAINED, cause: 'idle', sessionsLeft: 0 },
    'node n1 is empty: nothing is in flight, no session is left; it is safe to stop',
  ],
  [{ ...DRAINED, cause: 'idle', sessionsLeft: 19 }, 'node n1 is stopped: nothing is in flight, 19 sessions move'],
  [
    { ...DRAINED, cause: 'deadline', sessionsLeft: 19, inFlight: 2 },
    'node n1: deadline over, 19 sessions left, 2 in flight',
  ],
  [{ ...DRAINED, cause: 'killed', sessionsLeft: 19, inFlight: 2 }, 'node n1: killed, 19 sessions lost, 2 in flight'],
  [
    { ...BUDGET, isOn: true, holdMs: 8_000 },
    'node n1 wants to end and keeps serving for up to 8 s: 1 other eligible node of balancer shop, fewer than min-eligible 2',
  ],
  [
    BUDGET,
    'node n1 drains now, because its time is over: 1 other eligible node of balancer shop, fewer than min-eligible 2',
  ],
  [{ ...BUDGET, eligible: 2 }, 'node n1 drains now: enough other nodes of balancer shop are eligible'],
  [STATUS, 'an operator requests draining for node n1'],
  [{ ...STATUS, deadlineMs: null }, 'an operator requests draining for node n1, without a deadline'],
  [{ ...STATUS, forMs: 1_500, reason: 'kernel' }, 'an operator requests draining for node n1 for 1500ms: kernel'],
  [
    { ...STATUS, status: 'enabled', effective: 'stopped' },
    'an operator requests enabled for node n1, it stays stopped',
  ],
  [
    { ...STATUS, side: 'node', status: 'stopped', effective: 'stopped', deadlineMs: 8_000, reason: 'scaled down' },
    'node n1 requests stopped for itself, deadline in 8s: scaled down',
  ],
  [LOST, 'the request for node n1 lost a conflict: {"weight":2} of coordinator a lost against none of coordinator b'],
  [
    { ...LOST, key: 'balancer/shop', what: 'settings', more: 3 },
    'the settings of balancer shop lost a conflict: {"weight":2} of coordinator a lost against none of coordinator b; 3 more conflicts were lost in the same minute',
  ],
  [{ ...SETTLED, isSettled: true, learningMs: 0 }, 'the start is over: no session waits for a node that is not back'],
  [
    { ...SETTLED, isSettled: true, learningMs: 4_000 },
    'agents have had time to return; sessions of nodes that are not back wait 4 s more',
  ],
  [
    { ...SETTLED, isSettled: false, learningMs: 0 },
    'no session waits for a node that is not back; agents still have time to return',
  ],
];

for (const [event, sentence] of SENTENCES)
  test(`event: ${sentence}`, () => {
    assert.equal(eventLine(event as Event)?.message, sentence);
  });
