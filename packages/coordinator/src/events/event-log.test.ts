import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { EVENT_LOG_SIZE, EventLog, KEPT_ACTS } from './event-log.ts';

test('numbers increase by one, and numbers after a restart are larger', () => {
  const clocks = new ManualClocks();
  const log = new EventLog(clocks);
  const [first, second] = [log.add({ type: 'a', message: 'a' }), log.add({ type: 'b', message: 'b' })];
  assert.equal(second.id, first.id + 1);
  clocks.advance(1_000);
  assert.ok(new EventLog(clocks).add({ type: 'c', message: 'c' }).id > second.id);
});

test('the last thousand are kept, and events since a number can be listed', () => {
  const log = new EventLog(new ManualClocks());
  const heard: number[] = [];
  const stop = log.listen(({ id }) => heard.push(id));
  const first = log.add({ type: 'a', message: '' }).id;
  for (let i = 0; i < 3 * EVENT_LOG_SIZE; i++) log.add({ type: 'a', message: '' });
  stop();
  const last = log.add({ type: 'a', message: '' }).id;
  assert.equal(heard.length, 3 * EVENT_LOG_SIZE + 1);
  const kept = log.since(0);
  assert.equal(kept.length, EVENT_LOG_SIZE);
  assert.equal(kept.at(-1)?.id, last);
  assert.ok(kept[0]!.id > first);
  assert.deepEqual(
    log.since(last - 1).map(({ id }) => id),
    [last],
  );
});

test('the last acts of operators are kept when an event of many nodes fills the log', () => {
  const log = new EventLog(new ManualClocks());
  for (let i = 0; i < KEPT_ACTS + 50; i++) log.add({ type: 'act', message: String(i), by: 'ann' });
  for (let i = 0; i < 5 * EVENT_LOG_SIZE; i++) log.add({ type: 'gone', message: '' });
  const kept = log.since(0);
  assert.equal(kept.length, EVENT_LOG_SIZE + KEPT_ACTS);
  const acts = kept.filter(({ by }) => by === 'ann');
  assert.deepEqual([acts.length, acts[0]?.message, acts.at(-1)?.message], [KEPT_ACTS, '50', String(KEPT_ACTS + 49)]);
  assert.deepEqual(
    kept.map(({ id }) => id),
    kept.map(({ id }) => id).sort((one, other) => one - other),
  );
});

test('events of an earlier process stay, and new numbers are larger', () => {
  const clocks = new ManualClocks();
  const before = new EventLog(clocks);
  const old = [before.add({ type: 'a', message: 'a' }), before.add({ type: 'b', message: 'b' })];
  const log = new EventLog(clocks, old);
  const { id } = log.add({ type: 'c', message: 'c' });
  assert.ok(id > old[1]!.id);
  assert.deepEqual(
    log.since(0).map(({ type }) => type),
    ['a', 'b', 'c'],
  );
});
