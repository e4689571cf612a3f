import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeId } from '@rollcall/protocol';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { RegistrationPace } from './registration-pace.ts';

const ID = parseNodeId('n1')!;

test('a node registers 20 times at once, then 10 times a minute; other nodes are not affected', () => {
  const clocks = new ManualClocks();
  const pace = new RegistrationPace(10, clocks);
  for (let i = 0; i < 20; i++) assert.equal(pace.delayMs('a', ID), 0);
  assert.deepEqual(pace.busiest(), ['n1', 20]);
  assert.equal(pace.delayMs('a', ID), 6_000);
  assert.equal(pace.delayMs('b', ID), 0);
  clocks.advance(6_000);
  assert.equal(pace.delayMs('a', ID), 0);
  assert.equal(pace.delayMs('a', ID), 6_000);
});

test('a few registrations are queued and further ones are refused; the shutdown of the coordinator ends the queue', async () => {
  const pace = new RegistrationPace(10, new ManualClocks());
  for (let i = 0; i < 20; i++) assert.equal(await pace.turn('a', ID), true);
  const waiting = Array.from({ length: 4 }, () => pace.turn('a', ID));
  assert.equal(await pace.turn('a', ID), false);
  assert.equal(
    pace.refusal(ID).message,
    'node n1 has 20 of 20 registrations (`up --quota registrations=N`), of which 10 a minute are given back, and 4 more that wait for their turn',
  );
  pace.close();
  assert.deepEqual(await Promise.all(waiting), [false, false, false, false]);
});
