import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOwnIp, ReachRule } from './node-reach.ts';

const rule = new ReachRule(
  {
    listeners: [
      { host: '0.0.0.0', port: 8080 },
      { host: '127.0.0.0/8', port: 8400 },
      { host: '10.0.0.1', port: 6379 },
    ],
    allow: ['10.1.0.0/16', '127.0.0.9'],
  },
  (address) => isOwnIp(address, { eth0: [{ address: '10.0.0.1' }], eth1: undefined }),
);
const GUEST = { from: '10.0.0.7', isLocal: false, isAnywhere: false };
const LOCAL = { from: '127.0.0.1', isLocal: true, isAnywhere: false };
const OPERATOR = { from: '10.0.0.7', isLocal: false, isAnywhere: true };

function verdict(address: string, port: number, reach: typeof GUEST): string {
  const objection = rule.objection(address, port, reach);
  if (objection === undefined) return 'allowed';
  return objection.type === 'never' ? objection.what : objection.type;
}

void test('a guest reaches its own address and the ranges allowed, and nothing else', () => {
  assert.equal(verdict('10.0.0.7', 80, GUEST), 'allowed');
  assert.equal(verdict('::ffff:10.0.0.7', 80, GUEST), 'allowed');
  assert.equal(verdict('10.1.200.3', 80, GUEST), 'allowed');
  assert.equal(verdict('10.0.0.8', 80, GUEST), 'elsewhere');
  assert.equal(verdict('not-an-address', 80, OPERATOR), 'elsewhere');
  for (const loopback of ['127.0.0.1', '127.255.0.1', '::1', '::ffff:7f00:1'])
    assert.equal(verdict(loopback, 80, GUEST), 'loopback', loopback);
});

void test('loopback is for registrants of this machine, and for ranges that allow it, also where an operator asks', () => {
  assert.equal(verdict('127.0.0.1', 80, LOCAL), 'allowed');
  assert.equal(verdict('::1', 80, LOCAL), 'allowed');
  assert.equal(verdict('127.0.0.1', 80, OPERATOR), 'loopback');
  assert.equal(verdict('127.0.0.9', 80, OPERATOR), 'allowed');
  assert.equal(verdict('192.0.2.1', 80, OPERATOR), 'allowed');
});

void test('own listeners are refused to every registrant, also within allowed ranges', () => {
  for (const reach of [LOCAL, OPERATOR, { ...LOCAL, isAnywhere: true }]) {
    assert.equal(verdict('127.0.0.1', 8080, reach), 'own-listener');
    assert.equal(verdict('10.0.0.1', 8080, reach), 'own-listener');
    assert.equal(verdict('::ffff:10.0.0.1', 8080, reach), 'own-listener');
    assert.equal(verdict('127.0.0.9', 8400, reach), 'own-listener');
    assert.equal(verdict('10.0.0.1', 6379, reach), 'own-listener');
  }
  assert.equal(verdict('10.0.0.2', 8400, OPERATOR), 'allowed');
});

void test('some addresses are refused to every registrant', () => {
  const all: Readonly<Record<string, readonly string[]>> = {
    'a metadata address': ['100.100.100.200', '168.63.129.16', 'fd00:ec2::254'],
    'an unspecified address': ['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0'],
    'a link-local address': ['169.254.0.1', '169.254.169.254', '::ffff:169.254.169.254', 'fe80::1'],
    'a multicast address': ['224.0.0.1', '239.1.1.1', 'ff02::1'],
    'a broadcast address': ['255.255.255.255'],
    'a translated address': [
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001:0:7f00:1::',
      '::127.0.0.1',
      '::ffff:0:7f00:1',
    ],
  };
  for (const [what, addresses] of Object.entries(all))
    for (const address of addresses)
      for (const reach of [GUEST, LOCAL, OPERATOR]) assert.equal(verdict(address, 80, reach), what, address);
});

void test('addresses of this machine are its loopback, the unspecified one and those of its interfaces, however written', () => {
  const interfaces = {
    lo: [{ address: '127.0.0.1' }],
    eth0: [{ address: '192.0.2.7' }, { address: 'fe80::1%eth0' }],
    off: undefined,
  };
  for (const address of [
    '127.0.0.5',
    '::1',
    '::',
    '0.0.0.0',
    '192.0.2.7',
    '::ffff:192.0.2.7',
    '::ffff:c000:207',
    'fe80:0::1',
  ])
    assert.ok(isOwnIp(address, interfaces), address);
  for (const address of ['192.0.2.8', 'fe80::2', 'localhost', '']) assert.ok(!isOwnIp(address, interfaces), address);
});
