/** Each row: reads of the store as `seconds:counter` (no counter: the peer has no record), and the changes that they report. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOWN_MS, Peers } from './peers.ts';

const CASES: readonly [what: string, reads: string, changes: string][] = [
  ['a counter that grows', '0:1 1:2 2:3 3:4 8:9', ''],
  ['a counter that stands', '0:1 1:1 2:1 3:1 4:1 5:1 6:1', '5 down'],
  ['a counter that stands and grows again', '0:1 2:1 4:1 6:1 7:2 8:2', '6 down, 7 back'],
  ['a counter that is set back, by a restart', '0:90 2:90 4:90 6:90 7:1', '6 down, 7 back'],
  ['reads that are late', '0:1 3:1 6:1', '6 down'],
  ['a store that did not answer', '0:1 1:1 20:1 21:1 22:1 23:1 24:1', ''],
  ['a store that did not answer, and a peer that stands after it', '0:1 20:1 22:1 24:1 25:1', '25 down'],
  ['an outage does not bring a peer back', '0:1 2:1 4:1 6:1 60:1 61:1', '6 down'],
  ['a record that ends', '0:1 2:1 4:1 6:1 7: 8:1', '6 down'],
];

for (const [what, reads, changes] of CASES)
  test(`${what}: ${changes || 'no change'}`, () => {
    const peers = new Peers();
    const seen: string[] = [];
    for (const read of reads.split(' ')) {
      const [seconds, counter] = read.split(':');
      const counters = new Map(counter === '' ? [] : [['b', Number(counter)]]);
      const { down, back } = peers.read(counters, Number(seconds) * 1_000);
      for (const id of down) {
        seen.push(`${seconds} down`);
        assert.equal(peers.downAtMs(id), Number(seconds) * 1_000);
      }
      for (const id of back) {
        seen.push(`${seconds} back`);
        assert.equal(peers.downAtMs(id), undefined);
      }
    }
    assert.equal(seen.join(', '), changes);
  });

test('peers are judged apart from each other', () => {
  const peers = new Peers();
  for (let seconds = 0; seconds <= DOWN_MS / 1_000; seconds++)
    peers.read(
      new Map([
        ['b', 7],
        ['c', seconds],
      ]),
      seconds * 1_000,
    );
  assert.deepEqual([peers.downAtMs('b'), peers.downAtMs('c'), peers.downAtMs('d')], [DOWN_MS, undefined, undefined]);
  assert.deepEqual(peers.ids(), ['b', 'c']);
});
