import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Identity } from '../auth/gate.ts';
import { EventSeats } from './event-seats.ts';

const TOKENLESS: Identity = { name: 'loopback', role: 'viewer', by: 'loopback' };
const ADMIN: Identity = { name: 'admin', role: 'admin', by: 'token' };
const LOGIN: Identity = { name: 'admin', role: 'admin', by: 'cookie' };

/** Takes as many seats as there are. */
function takeAll(seats: EventSeats, identity: Identity): (() => void)[] {
  const taken: (() => void)[] = [];
  for (;;) {
    const seat = seats.take(identity);
    if (typeof seat !== 'function') return taken;
    taken.push(seat);
  }
}

test('clients without a token cannot take all event streams, nor can one token', () => {
  const seats = new EventSeats();
  assert.equal(takeAll(seats, TOKENLESS).length, 50);
  assert.equal(takeAll(seats, ADMIN).length, 50);
  assert.equal(takeAll(seats, LOGIN).length, 50);
  assert.deepEqual(seats.take(TOKENLESS), {
    code: 'rate-limited',
    message: '50 event streams of clients without a token are open, the maximum',
  });
});

test('all together are bounded, and a seat that is given back is free', () => {
  const seats = new EventSeats();
  const taken = Array.from({ length: 5 }, (_, i) => takeAll(seats, { ...ADMIN, name: `t${i}` }));
  assert.deepEqual(
    taken.map(({ length }) => length),
    [50, 50, 50, 50, 0],
  );
  taken[0]!.pop()!();
  assert.equal(typeof seats.take({ ...ADMIN, name: 't4' }), 'function');
  assert.deepEqual(seats.take({ ...ADMIN, name: 't5' }), {
    code: 'rate-limited',
    message: '200 event streams are open, the maximum',
  });
});
