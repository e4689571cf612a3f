import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeUrl } from '@rollcall/protocol';
import { isOfThisMachine, parseIp } from '../network/addresses.ts';
import { NodeAddressPolicy, type Resolve } from './node-address-policy.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  'app.internal': ['10.0.0.5'],
  'twofaced.internal': ['10.0.0.5', '169.254.169.254'],
  localhost: ['::1', '127.0.0.1'],
};

const resolve: Resolve = async (name) => {
  const found = NAMES[name];
  if (!found) throw new Error('ENOTFOUND');
  return found;
};

const policy = new NodeAddressPolicy({
  nodeAllow: ['10.1.0.0/16'],
  ownListeners: () => [
    { host: '0.0.0.0', port: 8080 },
    { host: '127.0.0.1', port: 8400 },
    { host: 'redis.internal', port: 6379 },
  ],
  resolve,
  isOwn: (address) => address.toString() === '192.0.2.7' || isOfThisMachine(address),
});

async function verdict(url: string, peer: string, mayNameAnywhere = false): Promise<string> {
  const parsed = parseNodeUrl(url);
  assert.ok(parsed, url);
  const address = await policy.check(parsed, policy.reachOf({ peer: parseIp(peer), mayNameAnywhere }));
  return 'code' in address ? address.message : `${address.host} ${address.port}`;
}

test('a node’s address is its own, on this machine with its peer, or within the ranges allowed', async () => {
  assert.equal(await verdict('http://10.0.0.5:3000', '10.0.0.5'), '10.0.0.5 3000');
  assert.equal(await verdict('http://127.0.0.1:3000', '127.0.0.1'), '127.0.0.1 3000');
  assert.equal(await verdict('http://10.1.2.3:3000', '10.0.0.5'), '10.1.2.3 3000');
  assert.equal(await verdict('http://[::1]:3000', '127.0.0.1'), '::1 3000');
  assert.match(await verdict('http://10.0.0.6:3000', '10.0.0.5'), /is not the address this connection comes from/);
});

test('a loopback address is refused to another machine, with advice', async () => {
  for (const url of [
    'http://127.0.0.1:3000',
    'http://[::ffff:127.0.0.1]:3000',
    'http://localhost:3000',
    'http://[::1]:1',
  ])
    assert.match(
      await verdict(url, '10.0.0.5'),
      /is a loopback address.* another machine \(10\.0\.0\.5\)\. .*0\.0\.0\.0.*`run --address`, SDK option `url`/,
      url,
    );
  assert.equal(await verdict('http://127.0.0.1:3000', '192.0.2.7'), '127.0.0.1 3000');
});

test('some addresses are never nodes, with any role', async () => {
  for (const host of [
    '169.254.169.254',
    '[fe80::1]',
    '[fd00:ec2::254]',
    '224.0.0.1',
    '[64:ff9b::a9fe:a9fe]',
    '0.0.0.0',
    '[::]',
    '255.255.255.255',
  ])
    assert.match(
      await verdict(`http://${host}:80`, '127.0.0.1', true),
      /is an? [a-z-]+ address\. Announce another one$/,
      host,
    );
});

test('listeners of the coordinator are not nodes, on any address of this machine', async () => {
  assert.match(await verdict('http://127.0.0.1:8080', '127.0.0.1'), /listener of Rollcall/);
  assert.match(await verdict('http://127.0.0.1:8400', '127.0.0.1'), /listener of Rollcall/);
  assert.match(await verdict('http://127.0.0.1:6379', '127.0.0.1', true), /listener of Rollcall/);
  assert.equal(await verdict('http://192.0.2.1:8400', '127.0.0.1', true), '192.0.2.1 8400');
});

test('C56: a listener that is given by name has the addresses of that name', async () => {
  const names: Record<string, string[]> = { 'redis.internal': ['10.9.9.9'] };
  const byName = new NodeAddressPolicy({
    nodeAllow: [],
    ownListeners: () => [
      { host: 'redis.internal', port: 6379 },
      { host: '0.0.0.0', port: 8080 },
    ],
    resolve: async (name) => names[name] ?? [],
    isOwn: isOfThisMachine,
  });
  const check = (url: string) =>
    byName.check(parseNodeUrl(url)!, byName.reachOf({ peer: parseIp('127.0.0.1'), mayNameAnywhere: true }));
  assert.match(JSON.stringify(await check('http://10.9.9.9:6379')), /listener of Rollcall/);
  assert.match(JSON.stringify(await check('http://127.0.0.1:6379')), /"host":"127/);
  names['redis.internal'] = ['10.9.9.8'];
  assert.match(JSON.stringify(await check('http://10.9.9.8:6379')), /listener of Rollcall/);
  // Workers may be on another machine: they get addresses, never 0.0.0.0.
  const { listeners } = byName.bounds();
  assert.deepEqual(listeners[0], { host: '10.9.9.8', port: 6379 });
  assert.ok(listeners.some(({ host, port }) => host === '127.0.0.0/8' && port === 8080));
  assert.ok(!listeners.some(({ host }) => host === '0.0.0.0'));
});

test('C56: forms that only some parsers accept as an address are refused', () => {
  for (const host of ['2130706433', '127.1', '0x7f.0.0.1', '0177.0.0.1', '0'])
    assert.equal(parseNodeUrl(`http://${host}:80`), undefined, host);
  for (const port of ['0', '65536', '-1', '80 ', ''])
    assert.equal(parseNodeUrl(`http://10.0.0.5:${port}`), undefined, port);
});

test('a name is resolved, all its addresses are checked, and the first is pinned', async () => {
  assert.equal(await verdict('http://app.internal:3000', '10.0.0.5'), '10.0.0.5 3000');
  assert.equal(await verdict('http://localhost:3000', '127.0.0.1'), '::1 3000');
  assert.match(await verdict('http://twofaced.internal:80', '10.0.0.5', true), /link-local/);
  assert.match(
    await verdict('http://nowhere.internal:80', '10.0.0.5', true),
    /cannot resolve the name nowhere\.internal\. Announce/,
  );
});

test('C56: operators may name any other address, loopback from this machine only', async () => {
  assert.match(
    await verdict('http://127.0.0.1:3000', '10.0.0.5', true),
    /is a loopback address.*--node-allow 127\.0\.0\.1/,
  );
  assert.equal(await verdict('http://127.0.0.1:3000', '127.0.0.1', true), '127.0.0.1 3000');
  assert.equal(await verdict('http://192.0.2.1:80', '127.0.0.1', true), '192.0.2.1 80');
});
