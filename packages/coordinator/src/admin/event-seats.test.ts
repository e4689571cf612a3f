import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Identity } from '../auth/gate.ts';
import { EventSeats } from './event-seats.ts';

const TOKENLESS: Identity = { name: 'loopback', role: 'viewer', by: 'loopback' };
const ADMIN: Identity = { name: 'admin', role: 'admin', by: 'token' };
const LOGIN: Identity = { name: 'admin', role: 'admin', by: 'cookie' };

/** Takes all free seats. */
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

test('a few identities never take all seats, and a released seat is free', () => {
  const seats = new EventSeats();
  const token = (i: number): Identity => ({ ...ADMIN, name: `t${i}` });
  const taken = Array.from({ length: 10 }, (_, i) => takeAll(seats, token(i)));
  assert.deepEqual(
    taken.map(({ length }) => length),
    [50, 50, 50, 25, 13, 6, 3, 2, 1, 0],
  );
  assert.deepEqual(seats.take(token(10)), {
    code: 'rate-limited',
    message: '200 event streams are open, the maximum',
  });
  taken[0]!.pop()!();
  assert.deepEqual(seats.take(token(3)), {
    code: 'rate-limited',
    message: '199 of 200 event streams are open, 25 of them of the token t3; the others are for other clients',
  });
  assert.equal(typeof seats.take(token(10)), 'function');
});
