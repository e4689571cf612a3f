import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { instantOf } from './events-filter.ts';
import { clockText, timeText } from './format.ts';

/** Local time of this zone until the test ends. */
function inZone(t: TestContext, zone: string): void {
  const before = process.env['TZ'];
  process.env['TZ'] = zone;
  t.after(() => {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  });
}

const AT = Date.UTC(2026, 0, 2, 22, 4, 5, 6);

test('a time is local with the difference to UTC, or in UTC', (t) => {
  inZone(t, 'Asia/Kolkata');
  assert.equal(timeText(AT), '2026-01-03 03:34:05.006 +05:30');
  assert.equal(clockText(AT), '03:34:05.006');
  assert.equal(timeText(AT, true), '2026-01-02T22:04:05.006Z');
  process.env['TZ'] = 'America/New_York';
  assert.equal(timeText(AT), '2026-01-02 17:04:05.006 -05:00');
});

test('an instant is a duration ago, a time of today, or a date; without a zone it is local', (t) => {
  inZone(t, 'America/New_York');
  assert.equal(instantOf('5m', AT), AT - 300_000);
  assert.equal(instantOf('15:04', AT), Date.UTC(2026, 0, 2, 20, 4));
  assert.equal(instantOf('15:04:05', AT), Date.UTC(2026, 0, 2, 20, 4, 5));
  assert.equal(instantOf('2026-01-02', AT), Date.UTC(2026, 0, 2, 5));
  assert.equal(instantOf('2026-01-02 15:04', AT), Date.UTC(2026, 0, 2, 20, 4));
  assert.equal(instantOf('2026-01-02T15:04:00Z', AT), Date.UTC(2026, 0, 2, 15, 4));
  for (const text of ['5', '25:00', 'yesterday', '2026-13-01', ''])
    assert.throws(() => instantOf(text, AT), /is no time: write a duration like 5m/, text);
});
