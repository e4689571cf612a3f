import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClocks } from '../testing/manual-clocks.ts';
import { EVENT_LOG_SIZE, EventLog } from './event-log.ts';

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
