import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { test } from 'node:test';
import { CidrList } from './addresses.ts';
import { clearTextAdvice } from './clear-text.ts';
import { believeProxies, isSecure, peerOf } from './peer.ts';

/** Address and scheme of a request from `end` with these fields. */
function seen(trusted: readonly string[], end: string, headers: Record<string, string> = {}): string {
  const server = new EventEmitter();
  believeProxies(server as Server, new CidrList(trusted));
  const request = { socket: { remoteAddress: end }, headers } as unknown as IncomingMessage;
  server.emit('request', request);
  return `${peerOf(request)} ${isSecure(request) ? 'tls' : 'plain'}`;
}

test('only a trusted proxy can set the origin of a request', () => {
  const fields = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' };
  assert.equal(seen([], '10.0.0.5', fields), '10.0.0.5 plain');
  assert.equal(seen(['10.0.0.0/24'], '10.0.1.5', fields), '10.0.1.5 plain');
  assert.equal(seen(['10.0.0.0/24'], '10.0.0.5', fields), '203.0.113.7 tls');
  assert.equal(seen(['10.0.0.0/24'], '::ffff:10.0.0.5', fields), '203.0.113.7 tls');
  assert.equal(seen(['10.0.0.0/24'], '10.0.0.5'), '10.0.0.5 plain');
});

test('addresses from the client, before the ones of the proxy, are ignored', () => {
  const of = (forwarded: string, end = '10.0.0.5') =>
    seen(['10.0.0.0/24', '127.0.0.1'], end, { 'x-forwarded-for': forwarded });
  assert.equal(of('127.0.0.1, 203.0.113.7'), '203.0.113.7 plain');
  assert.equal(of('198.51.100.1, 203.0.113.7, 10.0.0.9'), '203.0.113.7 plain');
  assert.equal(of('203.0.113.7:40000'), '203.0.113.7 plain');
  assert.equal(of('[2001:db8::1]:40000'), '2001:db8::1 plain');
  assert.equal(seen(['10.0.0.5'], '10.0.0.5', { 'x-forwarded-proto': 'https, http' }), '10.0.0.5 plain');
});

test('a loopback address counts only from a proxy on this machine, and an invalid address is none', () => {
  const of = (forwarded: string, end: string) => seen(['10.0.0.5', '127.0.0.1'], end, { 'x-forwarded-for': forwarded });
  assert.equal(of('127.0.0.1', '10.0.0.5'), '10.0.0.5 plain');
  assert.equal(of('::1', '10.0.0.5'), '10.0.0.5 plain');
  assert.equal(of('127.0.0.2', '127.0.0.1'), '127.0.0.2 plain');
  assert.equal(of('127.0.0.1, unknown', '127.0.0.1'), 'undefined plain');
});

test('tokens in clear text are reported beyond loopback, without TLS here or in a proxy in front', () => {
  const listen = { host: '127.0.0.1', port: 8400 };
  const open = { host: '0.0.0.0', port: 8401 };
  const none = { listen, controlTrustedProxies: [] };
  assert.deepEqual(clearTextAdvice(none), []);
  assert.match(
    clearTextAdvice({ ...none, agentsListen: open }).join(),
    /^Tokens pass in clear text on 0\.0\.0\.0:8401: start with --control-cert/,
  );
  assert.match(clearTextAdvice({ ...none, listen: open }).join(), /0\.0\.0\.0:8401/);
  assert.deepEqual(clearTextAdvice({ listen: open, controlTrustedProxies: ['10.0.0.5'] }), []);
});
