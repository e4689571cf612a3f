import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentUrl } from '@rollcall/protocol';
import {
  adminUrl,
  announcedCoordinators,
  coordinatorList,
  coordinatorText,
  MAX_COORDINATORS,
  serviceAddresses,
  serviceOf,
  socketPathOf,
} from './coordinator-url.ts';

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
  assert.deepEqual(problems, [
    'the list of coordinators has more than 5 entries, and those after the first 5 are left out',
  ]);
  assert.deepEqual(coordinatorList(many.slice(0, 5), {}).problems, []);
});

test('an empty entry is reported; an empty list is unset', () => {
  for (const given of ['a.test,,b.test', 'a.test,b.test,', ['a.test', 'b.test', ''], ['a.test, ,b.test']]) {
    const { urls, problems } = coordinatorList(given, {});
    assert.deepEqual(urls, ['ws://a.test:8400/v1/agent', 'ws://b.test:8400/v1/agent']);
    assert.deepEqual(problems, ['the list of coordinators has an empty entry']);
  }
  assert.equal(coordinatorList([' ', ','], { ROLLCALL_URL: ', ' }).areAlternatives, true);
});

test('one entry may contain several addresses', () => {
  const { urls, problems } = coordinatorList(['ws://a.test,ws://b.test:9', 'c.test'], {});
  assert.deepEqual(urls, ['ws://a.test:8400/v1/agent', 'ws://b.test:9/v1/agent', 'ws://c.test:8400/v1/agent']);
  assert.deepEqual(problems, []);
});

test('a name with SRV records has no port', () => {
  for (const [text, url] of [
    ['ws://_rollcall._tcp.example.net', 'ws://_rollcall._tcp.example.net/v1/agent'],
    ['https://_ROLLCALL._tcp.example.net/x/', 'wss://_rollcall._tcp.example.net/x/v1/agent'],
    ['_rollcall._tcp.example.net', 'ws://_rollcall._tcp.example.net/v1/agent'],
    ['ws://_rollcall._tcp.example.net:8400', undefined],
    ['ws://_rollcall._tcp.', undefined],
    ['ws://_other._tcp.example.net', 'ws://_other._tcp.example.net:8400/v1/agent'],
  ] as const)
    assert.equal(agentUrl(text), url);
  assert.equal(serviceOf('ws://_rollcall._tcp.example.net/v1/agent'), '_rollcall._tcp.example.net');
  assert.equal(serviceOf('ws://example.net:8400/v1/agent'), undefined);
  assert.deepEqual(coordinatorList('ws://_rollcall._tcp.example.net:8400', {}).refused, [
    'ws://_rollcall._tcp.example.net:8400 with a port, which SRV records contain already,',
  ]);
  // A coordinator cannot announce it.
  const { accepted, ignored } = announcedCoordinators([], ['wss://_rollcall._tcp.example.net']);
  assert.deepEqual([accepted, ignored], [[], []]);
});

test('SRV records: the lowest priority first, at most five, with scheme and path of the URL', () => {
  const record = (name: string, port = 8400, priority = 0, weight = 0) => ({ name, port, priority, weight });
  const url = 'ws://_rollcall._tcp.example.net/x/v1/agent';
  const of = (...records: ReturnType<typeof record>[]) => serviceAddresses(url, records).addresses;
  assert.deepEqual(of(record('b.test', 1, 2), record('C.test.', 2, 1, 5), record('a.test', 3, 1, 9)), [
    'ws://a.test:3/x/v1/agent',
    'ws://c.test:2/x/v1/agent',
    'ws://b.test:1/x/v1/agent',
  ]);
  assert.deepEqual(of(record(''), record('.'), record('a.test', 0), record('a b'), record('u@a.test')), []);
  assert.deepEqual(of(record('a.test'), record('a.test', 8400, 7)), ['ws://a.test:8400/x/v1/agent']);
  assert.equal(of(...Array.from({ length: 40 }, (_, index) => record(`h${index}.test`))).length, 5);
});

test('SRV records of a wss URL must be in the domain of its name', () => {
  const url = 'wss://_rollcall._tcp.example.net/v1/agent';
  const names = ['a.example.net', 'example.net', 'evil.test', 'notexample.net', 'evil.test/.example.net'];
  const records = names.map((name, index) => ({ name, port: 443, priority: index, weight: 0 }));
  assert.deepEqual(serviceAddresses(url, records), {
    addresses: ['wss://a.example.net:443/v1/agent', 'wss://example.net:443/v1/agent'],
    ignored: [
      'wss://evil.test:443/v1/agent',
      'wss://notexample.net:443/v1/agent',
      'wss://evil.test:443/.example.net:443/v1/agent',
    ],
  });
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
