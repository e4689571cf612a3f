/** Which clients get node ids and commands in error answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorClient } from './operator-client.ts';

const PEER = { address: '127.0.0.1', isTrusted: false };
const HEAD = { host: 'localhost', isHttp10: false, forwardedFor: '', forwardedOther: '', via: '' };

const CASES: readonly [what: string, peer: Partial<typeof PEER>, head: Partial<typeof HEAD>, isOperator: boolean][] = [
  ['a client of localhost', {}, {}, true],
  ['a client of 127.0.0.1', {}, { host: '127.0.0.1' }, true],
  ['a client over IPv6', { address: '::1' }, { host: '[::1]' }, true],
  ['a client of a name below localhost', {}, { host: 'shop.localhost' }, true],
  ['a client on another machine', { address: '10.0.0.7' }, {}, false],
  ['a client with an address that begins with 127', { address: '127.example' }, {}, false],
  ['a client of a public name', {}, { host: 'shop.example' }, false],
  ['a client of a public name that begins with localhost', {}, { host: 'localhost.example' }, false],
  ['a client without a host', {}, { host: '' }, false],
  ['a trusted proxy', { isTrusted: true }, {}, false],
  ['a proxy with X-Forwarded-For', {}, { forwardedFor: '10.0.0.7' }, false],
  ['a proxy with Forwarded', {}, { forwardedOther: 'Forwarded: for=10.0.0.7\r\n' }, false],
  ['a proxy with Via', {}, { via: '1.1 front' }, false],
  ['a proxy that speaks HTTP/1.0', {}, { isHttp10: true }, false],
];

for (const [what, peer, head, isOperator] of CASES)
  test(`${what} is ${isOperator ? 'an operator' : 'not an operator'}`, () =>
    assert.equal(isOperatorClient({ ...PEER, ...peer }, { ...HEAD, ...head }), isOperator));
