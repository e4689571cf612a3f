import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { WorkerSessions } from '@rollcall/feed';
import type { Cluster } from '../cluster.ts';
import { SessionCopies } from './session-copies.ts';

const MESSAGE_MS = 32;

/** Copies of `count` sessions, and the numbers of sessions in the messages so far. */
function copiesOf(t: TestContext, count: number) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let left = 0;
  const registry = {
    tellSessionsAgain: () => {
      left = count;
    },
    takeSessions: (max: number) => {
      const taken = Math.min(max, left);
      left -= taken;
      return taken === 0
        ? []
        : [{ id: 'n1', level: 0, partMs: 1, partEndsInMs: 1, seen: [[0, 'hhhhhhhh'.repeat(taken)]] }];
    },
  };
  const sent: number[] = [];
  const copies = new SessionCopies({ registry, clocks: { nowMs: () => 0 } } as unknown as Cluster, (text) => {
    const { type, nodes } = JSON.parse(text) as WorkerSessions;
    assert.equal(type, 'sessions');
    sent.push(nodes[0]!.seen[0]![1].length / 8);
  });
  t.after(() => copies.close());
  return { copies, sent };
}

test('sessions are sent in small messages with pauses, and each once', (t) => {
  const { copies, sent } = copiesOf(t, 1_100);
  copies.begin();
  assert.deepEqual(sent, [], 'not in the turn in which the worker joins');
  t.mock.timers.tick(0);
  assert.deepEqual(sent, [512]);
  t.mock.timers.tick(MESSAGE_MS);
  assert.deepEqual(sent, [512, 512]);
  for (let i = 0; i < 10; i++) t.mock.timers.tick(MESSAGE_MS);
  assert.deepEqual(sent, [512, 512, 76]);
});

test('a worker that joins while others are served gets all sessions, at the same pace', (t) => {
  const { copies, sent } = copiesOf(t, 600);
  copies.begin();
  t.mock.timers.tick(0);
  copies.begin();
  assert.deepEqual(sent, [512]);
  for (let i = 0; i < 10; i++) t.mock.timers.tick(MESSAGE_MS);
  assert.deepEqual(sent, [512, 512, 88]);
});

test('without sessions nothing is sent, and after the end nothing more', (t) => {
  const none = copiesOf(t, 0);
  none.copies.begin();
  t.mock.timers.tick(0);
  assert.deepEqual(none.sent, []);
  t.mock.timers.reset();

  const { copies, sent } = copiesOf(t, 600);
  copies.begin();
  t.mock.timers.tick(0);
  copies.close();
  for (let i = 0; i < 10; i++) t.mock.timers.tick(MESSAGE_MS);
  assert.deepEqual(sent, [512]);
});
