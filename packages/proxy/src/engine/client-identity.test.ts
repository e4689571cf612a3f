import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestHead } from '../http1/request-head.ts';
import { type ClientPeer, clientAddress, isSecureClient, plainAddress, trustedMatcher } from './client-identity.ts';
import { DEFAULT_LIMITS } from './limits.ts';

const isTrusted = trustedMatcher(['10.0.0.0/8', '192.168.1.1', 'fd00::/8']);
const PROXY: ClientPeer = { address: '10.0.0.1', scheme: 'http', isTrusted: true };
const STRANGER: ClientPeer = { address: '9.9.9.9', scheme: 'http', isTrusted: false };

test('ranges and addresses are matched, in either family', () => {
  for (const address of ['10.1.2.3', '192.168.1.1', 'fd00::1']) assert.ok(isTrusted(address), address);
  for (const address of ['11.0.0.1', '192.168.1.2', '::1', '', 'x']) assert.ok(!isTrusted(address), address);
  assert.equal(trustedMatcher([])('127.0.0.1'), false);
});

test('what is not an address or range is named', () => {
  for (const bad of ['x', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0.0/8x', '10.0.0/8', ''])
    assert.throws(() => trustedMatcher([bad]), RangeError, bad);
});

test('the client is the last address that no trusted proxy has, and a stranger’s word counts for nothing', () => {
  assert.equal(clientAddress(PROXY, '6.6.6.6, 8.8.8.8', isTrusted), '8.8.8.8');
  assert.equal(clientAddress(PROXY, '6.6.6.6, 8.8.8.8, 10.0.0.2', isTrusted), '8.8.8.8');
  assert.equal(clientAddress(PROXY, '10.0.0.3, 10.0.0.2', isTrusted), '10.0.0.3');
  assert.equal(clientAddress(PROXY, '8.8.8.8, unknown', isTrusted), '10.0.0.1');
  assert.equal(clientAddress(PROXY, '', isTrusted), '10.0.0.1');
  assert.equal(clientAddress(STRANGER, '8.8.8.8', isTrusted), '9.9.9.9');
  assert.equal(plainAddress('::ffff:1.2.3.4'), '1.2.3.4');
  assert.equal(plainAddress(undefined), '');
});

function readHead(head: RequestHead, text: string): void {
  assert.equal(head.read(Buffer.from(`${text}\r\n\r\n`), 0, text.length, DEFAULT_LIMITS), undefined);
}

test('a client is secure by its own connection, or by the word of a trusted proxy', () => {
  const head = new RequestHead();
  readHead(head, 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http, https');
  assert.equal(isSecureClient(PROXY, head), true);
  assert.equal(isSecureClient(STRANGER, head), false);
  assert.equal(isSecureClient({ ...STRANGER, scheme: 'https' }, head), true);
  readHead(head, 'GET / HTTP/1.1\r\nHost: a');
  assert.equal(isSecureClient(PROXY, head), false);
});
