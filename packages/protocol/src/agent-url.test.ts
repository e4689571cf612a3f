import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentUrl, parseAnnouncedUrl } from './agent-url.ts';

test('an address is completed with port and path', () => {
  assert.equal(agentUrl('ws://a.test:9000'), 'ws://a.test:9000/v1/agent');
  assert.equal(agentUrl('https://a.test'), 'wss://a.test:443/v1/agent');
  assert.equal(agentUrl('ws://a.test'), 'ws://a.test:8400/v1/agent');
  assert.equal(agentUrl('ws://a.test:80'), 'ws://a.test:80/v1/agent');
  assert.equal(agentUrl('a.test:9000'), 'ws://a.test:9000/v1/agent');
  assert.equal(agentUrl('localhost'), 'ws://localhost:8400/v1/agent');
  assert.equal(agentUrl('[::1]:9000'), 'ws://[::1]:9000/v1/agent');
});

test('an invalid address is refused', () => {
  for (const text of [
    'ftp://a.test',
    'ws://',
    'ws://a b',
    'ws://user@a.test',
    'ws://a.test:80/x@y',
    'ws://a.test/?',
    'ws://a.test:0',
    'ws://a.test:99999',
    '',
  ]) {
    assert.equal(agentUrl(text), undefined, text);
  }
});

test('a coordinator announces a WebSocket address in printable ASCII, without SRV records', () => {
  for (const text of ['ws://10.0.0.2:8400', 'wss://a.test', 'ws://[fd00::2]:8400', 'wss://a.test/rollcall'])
    assert.equal(parseAnnouncedUrl(text), text);
  for (const text of [
    '',
    'a.test:8400',
    'http://a.test:8400',
    'ws://user@a.test',
    'ws://a.test/?x',
    'ws://a.test:0',
    'ws://a.test:99999',
    'ws://a\u001b[31m.test',
    'ws://ä.test',
    'ws://a.test/"',
    'wss://_rollcall._tcp.example.net',
    `ws://a.test/${'x'.repeat(512)}`,
  ])
    assert.equal(parseAnnouncedUrl(text), undefined, text);
});
