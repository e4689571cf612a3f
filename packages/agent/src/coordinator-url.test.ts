import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptedCoordinators, agentUrl, coordinatorList, MAX_COORDINATORS } from './coordinator-url.ts';

test('only scheme, host and port of an address count', () => {
  assert.equal(agentUrl('ws://a.test:9000'), 'ws://a.test:9000/v1/agent');
  assert.equal(agentUrl('http://a.test:9000/balancer-manager?x=1'), 'ws://a.test:9000/v1/agent');
  assert.equal(agentUrl('https://a.test'), 'wss://a.test:443/v1/agent');
  assert.equal(agentUrl('ws://a.test'), 'ws://a.test:8400/v1/agent');
  assert.equal(agentUrl('ws://a.test:80'), 'ws://a.test:80/v1/agent');
  assert.equal(agentUrl('a.test:9000'), 'ws://a.test:9000/v1/agent');
  assert.equal(agentUrl('localhost'), 'ws://localhost:8400/v1/agent');
  assert.equal(agentUrl('[::1]:9000'), 'ws://[::1]:9000/v1/agent');
});

test('what names no coordinator is refused', () => {
  for (const text of [
    'ftp://a.test',
    'ws://',
    'ws://a b',
    'ws://user@a.test',
    'ws://a.test:0',
    'ws://a.test:99999',
    '',
  ]) {
    assert.equal(agentUrl(text), undefined, text);
  }
});

test('an option wins over ROLLCALL_URL, which wins over the default; an empty one is unset', () => {
  const environment = { ROLLCALL_URL: 'ws://b.test:1, http://c.test:2' };
  assert.deepEqual(coordinatorList(['a.test:1'], environment).urls, ['ws://a.test:1/v1/agent']);
  assert.deepEqual(coordinatorList('', environment).urls, ['ws://b.test:1/v1/agent', 'ws://c.test:2/v1/agent']);
  const byDefault = ['ws://localhost:8400/v1/agent', 'ws://rollcall:8400/v1/agent'];
  assert.deepEqual(coordinatorList(undefined, { ROLLCALL_URL: '' }).urls, byDefault);
});

test('wrong addresses are named and the others used; the list is bounded', () => {
  assert.deepEqual(coordinatorList(['ftp://x', 'a.test'], {}), {
    urls: ['ws://a.test:8400/v1/agent'],
    refused: ['ftp://x'],
  });
  const many = Array.from({ length: 40 }, (_, index) => `host${index}`);
  assert.equal(coordinatorList(many, {}).urls.length, MAX_COORDINATORS);
});

test('an answer cannot lead the agent to a stranger without TLS', () => {
  const configured = ['ws://a.test:8400/v1/agent'];
  const announced = ['ws://evil.test:8400', 'wss://b.test:443', 'ws://a.test:8401', 'garbage://'];
  assert.deepEqual(acceptedCoordinators(configured, announced), [
    'ws://a.test:8400/v1/agent',
    'wss://b.test:443/v1/agent',
    'ws://a.test:8401/v1/agent',
  ]);
});
