import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeUrl } from '@rollcall/protocol';
import { addressKey } from './node-address.ts';

function key(text: string): string {
  const url = parseNodeUrl(text);
  assert.ok(url, text);
  return addressKey(url);
}

void test('the scheme and the case of the host do not make another address', () => {
  assert.equal(key('http://App-1.Example:3000'), key('https://app-1.example:3000'));
});

void test('another port or host is another address', () => {
  const keys = ['http://10.0.0.5:3000', 'http://10.0.0.5:3001', 'http://10.0.0.6:3000', 'http://app-1:3000'].map(key);
  assert.equal(new Set(keys).size, keys.length);
});

void test('all spellings of an IPv6 address are one', () => {
  const spellings = ['[2001:db8::1]', '[2001:DB8:0:0:0:0:0:1]', '[2001:0db8::0001]', '[2001:db8:0::0:1]'];
  assert.equal(new Set(spellings.map((host) => key(`http://${host}:80`))).size, 1);
  assert.notEqual(key('http://[2001:db8::1]:80'), key('http://[2001:db8::2]:80'));
  assert.equal(key('http://[::]:80'), key('http://[0:0:0:0:0:0:0:0]:80'));
});

void test('an IPv4 address that is mapped into IPv6 is the IPv4 address', () => {
  assert.equal(key('http://[::ffff:10.0.0.5]:80'), key('http://10.0.0.5:80'));
  assert.equal(key('http://[::ffff:a00:5]:80'), key('http://10.0.0.5:80'));
});

void test('text in brackets that is no address is compared as written', () => {
  assert.equal(key('http://[1::2::3]:80'), '1::2::3 80');
  assert.equal(key('http://[1:2:3]:80'), '1:2:3 80');
  assert.equal(key('http://[1:2:3:4:5:6:7:8:9]:80'), '1:2:3:4:5:6:7:8:9 80');
  assert.equal(key('http://[1:2:3:4:5:6:7:8::]:80'), '1:2:3:4:5:6:7:8:: 80');
  assert.equal(key('http://[12345::]:80'), '12345:: 80');
});
