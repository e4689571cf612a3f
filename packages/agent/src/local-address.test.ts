import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Addresses } from './addresses.ts';
import { isOnLoopback, LOCAL_ADDRESS_TIMEOUT_MS, localAddressFor, systemRoute } from './local-address.ts';
import { ManualTimers } from './testing/manual-timers.ts';

const at = (host: string) => `ws://${host}:8400/v1/agent`;

for (const [title, hosts, expected] of [
  ['all on loopback', ['127.0.0.1', 'localhost', '[::1]'], undefined],
  ['the first that is not on loopback', ['localhost', '10.0.0.1', '10.0.0.2'], 'to 10.0.0.1'],
  ['a name', ['a.test', '10.0.0.2'], 'to 10.1.1.1'],
  ['a name on loopback', ['here.test', '[fd00::1]'], 'to fd00::1'],
  ['a name that is not found', ['none.test', '10.0.0.2'], 'to 10.0.0.2'],
  ['no route', ['10.9.9.9', '10.0.0.2'], 'to 10.0.0.2'],
] as const)
  test(`the local address: ${title}`, async () => {
    const names: Readonly<Record<string, readonly string[]>> = { 'a.test': ['10.1.1.1'], 'here.test': ['127.0.0.1'] };
    const timers = new ManualTimers();
    const addresses = new Addresses(timers, async (name) => names[name] ?? []);
    const route = async (remote: string) => (remote === '10.9.9.9' ? undefined : `to ${remote}`);
    assert.equal(await localAddressFor(hosts.map(at), addresses, route, timers), expected);
    assert.equal(timers.size, 0);
  });

test('a look-up that does not answer is given up after 1 s', async () => {
  const timers = new ManualTimers();
  const addresses = new Addresses(timers, () => new Promise(() => {}));
  const found = localAddressFor([at('a.test')], addresses, async () => 'x', timers);
  timers.advance(LOCAL_ADDRESS_TIMEOUT_MS);
  assert.equal(await found, undefined);
});

test('the route of the system to this machine', async () => {
  assert.equal(await systemRoute('127.0.0.1'), '127.0.0.1');
  assert.equal(isOnLoopback('ws+unix:/run/x.sock:/v1/agent'), true);
});
