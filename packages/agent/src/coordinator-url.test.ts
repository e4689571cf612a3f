import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  adminUrl,
  agentUrl,
  announcedCoordinators,
  coordinatorList,
  coordinatorText,
  MAX_COORDINATORS,
  socketPathOf,
} from './coordinator-url.ts';

test('an address is completed with port and path', () => {
  assert.equal(agentUrl('ws://a.test:9000'), 'ws://a.test:9000/v1/agent');
  assert.equal(agentUrl('https://a.test'), 'wss://a.test:443/v1/agent');
  assert.equal(agentUrl('ws://a.test'), 'ws://a.test:8400/v1/agent');
  assert.equal(agentUrl('ws://a.test:80'), 'ws://a.test:80/v1/agent');
  assert.equal(agentUrl('a.test:9000'), 'ws://a.test:9000/v1/agent');
  assert.equal(agentUrl('localhost'), 'ws://localhost:8400/v1/agent');
  assert.equal(agentUrl('[::1]:9000'), 'ws://[::1]:9000/v1/agent');
});

test('a path is a prefix, for agents and for the admin API', () => {
  for (const [text, agent, admin] of [
    ['wss://ops.example/rollcall', 'wss://ops.example:443/rollcall/v1/agent', 'https://ops.example:443/rollcall'],
    ['http://a.test:9000/x/y/', 'ws://a.test:9000/x/y/v1/agent', 'http://a.test:9000/x/y'],
    ['a.test/', 'ws://a.test:8400/v1/agent', 'http://a.test:8400'],
    ['ws://a.test:9000/v1/agent', 'ws://a.test:9000/v1/agent', 'http://a.test:9000'],
    ['ws://a.test:9000/x/v1/agent', 'ws://a.test:9000/x/v1/agent', 'http://a.test:9000/x'],
  ] as const) {
    assert.equal(agentUrl(text), agent);
    assert.equal(adminUrl(agent), admin);
  }
  assert.equal(coordinatorText('wss://ops.example:443/rollcall/v1/agent'), 'wss://ops.example:443/rollcall');
});

test('an address of a UNIX socket is printed as its path', () => {
  assert.equal(coordinatorText('ws+unix:/run/x.sock:/v1/agent'), 'the local socket /run/x.sock');
  assert.equal(socketPathOf('ws+unix:///run/x.sock:/v1/agent'), '/run/x.sock');
  assert.equal(socketPathOf('ws://a.test:1/v1/agent'), undefined);
});

test('a user name, password, query or fragment is refused with the reason and never printed', () => {
  const texts = ['wss://user:s3cret@ops.example', 's3cret@a.test', 'ws://a.test/?token=s3cret', 'ws://a.test/#s3cret'];
  const { urls, refused } = coordinatorList(texts, {});
  assert.deepEqual(urls, []);
  assert.doesNotMatch(refused.join(), /s3cret/);
  assert.match(refused[0]!, /^wss:\/\/\*\*\*@ops\.example with a user name or password .*ROLLCALL_JOIN_TOKEN/);
  assert.match(refused[1]!, /^\*\*\*@a\.test with a user name or password/);
  for (const text of refused.slice(2)) assert.match(text, /with a query or fragment$/);
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

test('an option has precedence over ROLLCALL_URL, which has precedence over the default; empty is unset', () => {
  const environment = { ROLLCALL_URL: 'ws://b.test:1, http://c.test:2' };
  assert.deepEqual(coordinatorList(['a.test:1'], environment).urls, ['ws://a.test:1/v1/agent']);
  assert.deepEqual(coordinatorList('', environment).urls, ['ws://b.test:1/v1/agent', 'ws://c.test:2/v1/agent']);
  const byDefault = ['ws://localhost:8400/v1/agent', 'ws://rollcall:8400/v1/agent'];
  assert.deepEqual(coordinatorList(undefined, { ROLLCALL_URL: '' }).urls, byDefault);
});

test('invalid, repeated and too many addresses are reported, and the others are used', () => {
  assert.deepEqual(coordinatorList(['ftp://x', 'a.test', 'ws://a.test:8400/'], {}), {
    urls: ['ws://a.test:8400/v1/agent'],
    areAlternatives: false,
    problems: ['the coordinator ws://a.test:8400 is listed twice'],
    refused: ['ftp://x'],
  });
  const many = Array.from({ length: 40 }, (_, index) => `host${index}`);
  const { urls, problems } = coordinatorList(many, {});
  assert.equal(urls.length, MAX_COORDINATORS);
  assert.deepEqual(problems, ['more than 5 coordinators are listed']);
  assert.deepEqual(coordinatorList(many.slice(0, 5), {}).problems, []);
});

test('only the default addresses are alternatives', () => {
  assert.equal(coordinatorList(undefined, {}).areAlternatives, true);
  assert.equal(coordinatorList('localhost, rollcall', {}).areAlternatives, false);
});

test('announced coordinators on other hosts require TLS', () => {
  const configured = ['ws://a.test:8400/v1/agent'];
  const announced = ['ws://evil.test:8400', 'wss://b.test:443', 'ws://a.test:8401', 'garbage://'];
  assert.deepEqual(announcedCoordinators(configured, [...announced, 'ws://a.test:8400', 'wss://b.test']), {
    accepted: ['wss://b.test:443/v1/agent', 'ws://a.test:8401/v1/agent'],
    ignored: ['ws://evil.test:8400/v1/agent'],
  });
});
