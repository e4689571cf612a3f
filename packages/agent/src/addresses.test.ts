import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Addresses, LOOK_UP_TIMEOUT_MS, REFRESH_AFTER_MS } from './addresses.ts';
import { ManualTimers } from './testing/manual-timers.ts';

/** Look-ups that the test ends. */
function setUp() {
  const timers = new ManualTimers();
  const asked: { readonly name: string; answer(...addresses: string[]): void; fail(code: string): void }[] = [];
  const addresses = new Addresses(
    timers,
    (name) =>
      new Promise((resolve, reject) => {
        asked.push({
          name,
          answer: (...list) => resolve(list),
          fail: (code) => reject(Object.assign(new Error(code), { code })),
        });
      }),
  );
  /** Lets the results of ended look-ups settle. */
  const settled = () => new Promise(setImmediate);
  return { timers, asked, addresses, settled };
}

test('a name has one pending look-up, and each attempt ends after 10 s', async () => {
  const { timers, asked, addresses } = setUp();
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const found = addresses.of('a.test');
    const other = addresses.of('b.test');
    timers.advance(LOOK_UP_TIMEOUT_MS);
    for (const answer of [await found, await other])
      assert.equal('error' in answer && (answer.error as NodeJS.ErrnoException).code, 'ETIMEOUT');
    addresses.failed('a.test');
  }
  assert.deepEqual(asked.map(({ name }) => name).toSorted(), ['a.test', 'b.test']);
  assert.equal(timers.size, 0);
});

test('a result after the 10 s is used by the next attempt', async () => {
  const { timers, asked, addresses, settled } = setUp();
  const first = addresses.of('a.test');
  timers.advance(LOOK_UP_TIMEOUT_MS);
  assert.ok('error' in (await first));
  asked[0]!.answer('192.0.2.1');
  await settled();
  assert.deepEqual(await addresses.of('a.test'), { addresses: ['192.0.2.1'] });
  assert.equal(asked.length, 1);
});

test('known addresses are returned at once and looked up again after a failure, and after 1 min', async () => {
  const { timers, asked, addresses, settled } = setUp();
  const first = addresses.of('a.test');
  asked[0]!.answer('192.0.2.1', '192.0.2.1');
  assert.deepEqual(await first, { addresses: ['192.0.2.1'] });
  await addresses.of('a.test');
  assert.equal(asked.length, 1, 'fresh addresses are not looked up');

  addresses.failed('a.test');
  for (let attempt = 0; attempt < 5; attempt += 1)
    assert.deepEqual(await addresses.of('a.test'), { addresses: ['192.0.2.1'] });
  assert.equal(asked.length, 2);
  asked[1]!.fail('EAI_AGAIN');
  await settled();
  assert.deepEqual(await addresses.of('a.test'), { addresses: ['192.0.2.1'] }, 'a failed look-up takes nothing away');
  asked[2]!.answer('192.0.2.2');
  await settled();
  assert.deepEqual(await addresses.of('a.test'), { addresses: ['192.0.2.2'] });

  timers.advance(REFRESH_AFTER_MS);
  await addresses.of('a.test');
  assert.equal(asked.length, 4);
});

test('the address that connected last is the first, also after a look-up', async () => {
  const { asked, addresses, settled } = setUp();
  const first = addresses.of('a.test');
  asked[0]!.answer('192.0.2.1', '192.0.2.2', '192.0.2.3');
  await first;
  addresses.worked('a.test', '192.0.2.2');
  assert.deepEqual(await addresses.of('a.test'), { addresses: ['192.0.2.2', '192.0.2.1', '192.0.2.3'] });
  addresses.failed('a.test');
  await addresses.of('a.test');
  asked[1]!.answer('192.0.2.3', '192.0.2.2');
  await settled();
  assert.deepEqual(await addresses.of('a.test'), { addresses: ['192.0.2.2', '192.0.2.3'] });
});

test('a name that was not found is looked up again at the next attempt', async () => {
  const { asked, addresses } = setUp();
  const first = addresses.of('a.test');
  asked[0]!.fail('ENOTFOUND');
  const found = await first;
  assert.equal('error' in found && (found.error as NodeJS.ErrnoException).code, 'ENOTFOUND');
  const second = addresses.of('a.test');
  asked[1]!.answer();
  assert.ok('error' in (await second));
  assert.equal(asked.length, 2);
});
