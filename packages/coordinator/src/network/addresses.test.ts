import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CidrList, isLoopback, isLoopbackHost, isOfThisMachine, limitKey, parseIp } from './addresses.ts';

test('unusual spellings of addresses are refused', () => {
  for (const text of ['2130706433', '0x7f.1', '0177.0.0.1', '127.1', '１２７.0.0.1', 'localhost', '', '1.2.3.4/8'])
    assert.equal(parseIp(text), undefined, text);
});

test('IPv4 in IPv6 form is IPv4', () => {
  assert.equal(parseIp('::ffff:127.0.0.1')?.toString(), '127.0.0.1');
  assert.equal(parseIp('[::ffff:7f00:1]')?.toString(), '127.0.0.1');
  assert.ok(isLoopback(parseIp('::ffff:7f00:1')));
  assert.equal(parseIp('fe80::1%eth0')?.toString(), 'fe80::1');
});

test('loopback is by address or by name', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost', 'LOCALHOST', 'demo.localhost'])
    assert.ok(isLoopbackHost(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'localhost.example', '']) assert.ok(!isLoopbackHost(host), host);
});

test('loopback and unspecified addresses are of this machine, addresses for documentation are not', () => {
  assert.ok(isOfThisMachine(parseIp('127.0.0.5')!));
  assert.ok(isOfThisMachine(parseIp('::')!));
  assert.ok(!isOfThisMachine(parseIp('192.0.2.1')!));
});

test('a list of ranges contains the addresses within them, of either family', () => {
  const list = new CidrList(['10.0.0.0/8', '::1', '192.0.2.7']);
  for (const text of ['10.255.0.1', '::ffff:10.0.0.1', '::1', '192.0.2.7']) assert.ok(list.has(parseIp(text)), text);
  for (const text of ['11.0.0.1', '::2', '192.0.2.8']) assert.ok(!list.has(parseIp(text)), text);
  assert.ok(!list.has(undefined));
});

test('an invalid range throws', () => {
  for (const text of ['10.0.0.0/33', '10.0.0.0/', '10.0.0/8', 'all', '10.0.0.0/-1', '::/129'])
    assert.throws(() => new CidrList([text]), /is not a range/, text);
});

test('limits are kept per IPv4 address or per /64', () => {
  assert.equal(limitKey(parseIp('2001:db8::1')), limitKey(parseIp('2001:db8::ffff')));
  assert.notEqual(limitKey(parseIp('2001:db8::1')), limitKey(parseIp('2001:db8:0:1::1')));
  assert.notEqual(limitKey(parseIp('10.0.0.1')), limitKey(parseIp('10.0.0.2')));
});
