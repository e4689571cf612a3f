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
  const address = await policy.check(parsed, { peer: parseIp(peer), mayNameAnywhere });
  return 'code' in address ? address.message : `${address.host} ${address.port}`;
}

test('a node’s address is its own, on this machine with its peer, or within the ranges allowed', async () => {
  assert.equal(await verdict('http://10.0.0.5:3000', '10.0.0.5'), '10.0.0.5 3000');
  assert.equal(await verdict('http://127.0.0.1:3000', '127.0.0.1'), '127.0.0.1 3000');
  assert.equal(await verdict('http://10.1.2.3:3000', '10.0.0.5'), '10.1.2.3 3000');
  assert.equal(await verdict('http://[::1]:3000', '127.0.0.1'), '::1 3000');
  assert.match(await verdict('http://10.0.0.6:3000', '10.0.0.5'), /is not the address this connection comes from/);
});

test('a loopback address is refused to another machine, with what to do', async () => {
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

test('some addresses are never nodes, whoever asks', async () => {
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
      /is a .* address\. Announce another one$/,
      host,
    );
});

test('our own listeners are not nodes, on any address of this machine', async () => {
  assert.match(await verdict('http://127.0.0.1:8080', '127.0.0.1'), /listener of Rollcall/);
  assert.match(await verdict('http://127.0.0.1:8400', '127.0.0.1'), /listener of Rollcall/);
  assert.match(await verdict('http://127.0.0.1:6379', '127.0.0.1', true), /listener of Rollcall/);
  assert.equal(await verdict('http://192.0.2.1:8400', '127.0.0.1', true), '192.0.2.1 8400');
});

test('a name is resolved, every address of it counts, and the first is pinned', async () => {
  assert.equal(await verdict('http://app.internal:3000', '10.0.0.5'), '10.0.0.5 3000');
  assert.equal(await verdict('http://localhost:3000', '127.0.0.1'), '::1 3000');
  assert.match(await verdict('http://twofaced.internal:80', '10.0.0.5', true), /link-local/);
  assert.match(
    await verdict('http://nowhere.internal:80', '10.0.0.5', true),
    /cannot resolve the name nowhere\.internal\. Announce/,
  );
});

test('operators may name any other address', async () => {
  assert.equal(await verdict('http://192.0.2.1:80', '127.0.0.1', true), '192.0.2.1 80');
});
