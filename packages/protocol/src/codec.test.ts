import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeAgentMessage, decodeCoordinatorMessage, encode } from './codec.ts';
import { isErrorCode } from './error-codes.ts';
import { isName, nodeAddress, parseContextPath, parseHostPattern, parseNodeUrl } from './ids.ts';

const NODE = { id: 'shop-1', balancer: 'shop', url: 'http://10.0.0.5:3000' };

function codeOf(message: unknown): string {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  const decoded = decodeAgentMessage(text);
  return decoded.type === 'malformed' ? decoded.code : `accepted ${decoded.type}`;
}

test('a registration needs only id, balancer and url, and gets the documented defaults', () => {
  assert.deepEqual(decodeAgentMessage(JSON.stringify({ type: 'register', node: NODE })), {
    type: 'register',
    node: { ...NODE, route: 'shop-1', contexts: [{ path: '/' }], hosts: ['*'], weight: 1, loadHeader: false, meta: {} },
  });
});

test('a registration is unchanged after decoding, encoding and decoding', () => {
  const full = {
    ...NODE,
    route: 'r1',
    contexts: [{ path: '/app' }, { path: '/app', hosts: ['Api.Example', '*'] }],
    hosts: ['Shop.Example', '*.example'],
    weight: 2,
    group: 'eu-1',
    incarnation: 1_790_000_000_000,
    instance: '0123456789abcdef0123456789abcdef',
    version: '1.4.2',
    keepAliveMs: 5_000,
    publicUrl: 'https://n1.example/',
    sticky: { mode: 'suffix', cookies: ['connect.sid'], parameters: ['_s'], failover: 'group', remove: true },
    cores: 2,
    loadHeader: true,
    meta: { zone: 'a' },
  };
  const once = decodeAgentMessage(JSON.stringify({ type: 'register', node: full }));
  assert.ok(once.type === 'register');
  assert.deepEqual(decodeAgentMessage(encode(once)), once);
  assert.equal(once.node.hosts[0], 'shop.example');
});

test('each kind of bad message has its stable code', () => {
  const heartbeat = { type: 'heartbeat' };
  const cases: [unknown, string][] = [
    ['{', 'bad-message'],
    ['', 'bad-message'],
    ['null', 'bad-message'],
    ['[]', 'bad-message'],
    ['"x"', 'bad-message'],
    [{}, 'missing-field'],
    [{ type: 7 }, 'missing-field'],
    [{ type: 'hello' }, 'unknown-message'],
    [{ type: 'malformed' }, 'unknown-message'],
    ['{"type":"heartbeat","load":1e999}', 'bad-field'],
    [{ ...heartbeat, load: -0.1 }, 'bad-field'],
    [{ ...heartbeat, load: '0.5' }, 'bad-field'],
    [{ ...heartbeat, sessions: 2 ** 53 }, 'bad-field'],
    [{ ...heartbeat, inFlight: 1.5 }, 'bad-field'],
    ['{"type":"heartbeat","__proto__":{"load":1}}', 'bad-field'],
    [`{"type":"heartbeat","metrics":{"__proto__":1}}`, 'bad-field'],
    [{ ...heartbeat, metrics: { 'a b': 1 } }, 'bad-field'],
    [{ type: 'register' }, 'missing-field'],
    [{ type: 'register', node: [] }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, id: undefined } }, 'missing-field'],
    [{ type: 'register', node: { ...NODE, id: 'a.b' } }, 'bad-name'],
    [{ type: 'register', node: { ...NODE, id: 'x'.repeat(65) } }, 'bad-name'],
    [{ type: 'register', node: { ...NODE, id: '__proto__' } }, 'bad-name'],
    [{ type: 'register', node: { ...NODE, route: 'r;x' } }, 'bad-name'],
    [{ type: 'register', node: { ...NODE, balancer: '' } }, 'bad-name'],
    [{ type: 'register', node: { ...NODE, url: 'ftp://x:1' } }, 'bad-address'],
    [{ type: 'register', node: { ...NODE, contexts: [] } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, contexts: [{ path: '/a/../b' }] } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, contexts: [{ path: '/', hosts: [] }] } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, contexts: [{ path: '/', hosts: ['a:80'] }] } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, hosts: Array(17).fill('*') } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, weight: 0 } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, meta: { a: 'line\nfeed' } } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, proves: 'yes' } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, stripPrefix: '/app' } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, process: { pid: 0 } } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, process: { host: 'x'.repeat(256) } } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, process: { host: 'a\u001b[31m' } } }, 'bad-field'],
    [{ type: 'status' }, 'missing-field'],
    [{ type: 'status', status: 'paused' }, 'bad-field'],
    ['x'.repeat(70_000), 'frame-too-big'],
  ];
  for (const [message, code] of cases) assert.equal(codeOf(message), code, JSON.stringify(message).slice(0, 90));
});

test('a load above 1 counts as full, and unknown fields are dropped', () => {
  assert.deepEqual(decodeAgentMessage('{"type":"heartbeat","load":1.7,"extra":{"deep":[1]}}'), {
    type: 'heartbeat',
    load: 1,
  });
});

test('decoders never throw, and every refusal has a code of the table', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({
        type: fc.constantFrom('register', 'heartbeat', 'status', 'registered'),
        node: fc.anything(),
      })
      .map((value) => JSON.stringify(value) ?? ''),
  );
  const neverThrows = fc.property(anything, (text) => {
    for (const decode of [decodeAgentMessage, decodeCoordinatorMessage]) {
      const decoded = decode(text);
      if (decoded.type === 'malformed') assert.ok(isErrorCode(decoded.code));
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
  // Fixed seeds, and a random one that is printed on failure.
  for (const seed of [1, 20_261_201, Math.floor(Math.random() * 2 ** 31)])
    fc.assert(neverThrows, { seed, numRuns: 300 });
});

test('names have at most 64 plain characters and are never JavaScript built-ins', () => {
  for (const good of ['a', 'A-b_9', 'x'.repeat(64)]) assert.ok(isName(good));
  for (const bad of ['', 'x'.repeat(65), 'a.b', 'ä', 'a b', 'a\n', '__proto__', 'constructor', '..', 'а'])
    assert.ok(!isName(bad), bad);
});

test('addresses are accepted as written or refused', () => {
  for (const good of ['http://10.0.0.5:3000', 'https://node.example:443', 'http://[::1]:80', 'http://10.0.0.5:3000/'])
    assert.ok(parseNodeUrl(good), good);
  for (const bad of [
    'http://a',
    'http://a:0',
    'http://a:65536',
    'http://a:80/x',
    'http://u:p@a:80',
    'http://2130706433:80',
    'http://0x7f.1:80',
    'http://127.1:80',
    'http://0177.0.0.1:80',
    'http://256.1.1.1:80',
    'http://a:80?x',
    ' http://a:80',
    'http://①:80',
  ])
    assert.equal(parseNodeUrl(bad), undefined, bad);
  const address = (text: string) => nodeAddress(parseNodeUrl(text)!);
  assert.deepEqual(address('http://[::1]:80'), { isTls: false, isAjp: false, host: '::1', port: 80 });
  assert.deepEqual(address('ajp://[::1]:8009'), { isTls: false, isAjp: true, host: '::1', port: 8009 });
  assert.deepEqual(address('https://a.b:443'), { isTls: true, isAjp: false, host: 'a.b', port: 443 });
});

test('context paths and hosts are accepted only in their documented form', () => {
  for (const good of ['/', '/app', '/app/admin', '/~u/x.y']) assert.equal(parseContextPath(good), good);
  for (const bad of [
    '',
    'app',
    '/app/',
    '//',
    '/a//b',
    '/a/./b',
    '/a/..',
    '/a;b',
    '/a?b',
    '/a%2f',
    '/ä',
    `/${'x'.repeat(256)}`,
  ])
    assert.equal(parseContextPath(bad), undefined, bad);
  for (const good of ['*', '*.example', 'a.b', 'localhost', '127.0.0.1', '[::1]'])
    assert.equal(parseHostPattern(good), good);
  for (const bad of ['', '*.', '*.*', 'a:80', 'a..b', '-a', 'a/b', 'a.*'])
    assert.equal(parseHostPattern(bad), undefined, bad);
  // The Kelvin sign is `k` in lower case.
  assert.equal(parseHostPattern('\u212A.example'), undefined);
});

test('an error carries whether the holder of a name is connected; the field is optional', () => {
  const error = { type: 'error', code: 'superseded', message: 'x' };
  for (const reported of [{}, { holderConnected: true }, { holderConnected: false }])
    assert.deepEqual(decodeCoordinatorMessage(JSON.stringify({ ...error, ...reported })), { ...error, ...reported });
  assert.equal(decodeCoordinatorMessage(JSON.stringify({ ...error, holderConnected: 1 })).type, 'malformed');
});

test('values and scales of metrics are decoded within bounds', () => {
  const heartbeat = (rest: object): unknown => decodeAgentMessage(JSON.stringify({ type: 'heartbeat', ...rest }));
  const scale = { capacity: 100, weight: 2, unit: 'ms', isLimit: true, from: 0.8, isSoft: false };
  const good = { values: { queue: -4 }, scales: { queue: scale, other: { capacity: 1, weight: 0 } } };
  assert.equal(JSON.stringify(heartbeat(good)), JSON.stringify({ type: 'heartbeat', ...good }));
  for (const bad of [
    { values: { queue: 1e16 } },
    { values: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`m${i}`, 1])) },
    { scales: { 'a b': scale } },
    { scales: { queue: 5 } },
    { scales: { queue: { weight: 1 } } },
    { scales: { queue: { ...scale, capacity: 0 } } },
    { scales: { queue: { ...scale, weight: -1 } } },
    { scales: { queue: { ...scale, unit: 'x'.repeat(17) } } },
    { scales: { queue: { ...scale, from: 1 } } },
  ])
    assert.equal((heartbeat(bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
});

test('failing copies of a wrapper are decoded within bounds', () => {
  const heartbeat = (failing: unknown): unknown => decodeAgentMessage(JSON.stringify({ type: 'heartbeat', failing }));
  const copy = { copy: 7, attempts: 3, cause: 'port 34104 is taken' };
  for (const good of [[], [copy], [{ ...copy, retryMs: 8_000 }], Array.from({ length: 64 }, () => copy)])
    assert.deepEqual(heartbeat(good), { type: 'heartbeat', failing: good });
  for (const bad of [
    copy,
    [5],
    [{ ...copy, copy: 0 }],
    [{ ...copy, copy: 1_001 }],
    [{ ...copy, attempts: 0 }],
    [{ ...copy, cause: 'x'.repeat(201) }],
    [{ ...copy, cause: 'a\nb' }],
    [{ ...copy, cause: undefined }],
    [{ ...copy, retryMs: -1 }],
    Array.from({ length: 65 }, () => copy),
  ])
    assert.equal((heartbeat(bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
});

test('contexts and hosts are bounded in number, and in length together', () => {
  const decoded = (contexts: unknown): object => {
    const message = decodeAgentMessage(JSON.stringify({ type: 'register', node: { ...NODE, contexts } }));
    return message.type === 'register' ? message.node.contexts : message;
  };
  const paths = (count: number): object[] => Array.from({ length: count }, (_, i) => ({ path: `/${i}` }));
  assert.deepEqual(decoded(paths(128)), paths(128));
  assert.match(JSON.stringify(decoded(paths(129))), /129 items, at most 128/);
  const hosts = (count: number): string[] => Array.from({ length: count }, (_, i) => `h${i}`.padEnd(60, 'x'));
  const withHosts = (count: number): object[] => paths(count).map((context) => ({ ...context, hosts: hosts(16) }));
  assert.deepEqual(decoded(withHosts(8)), withHosts(8));
  assert.match(JSON.stringify(decoded(withHosts(9))), /contexts and hosts have 9.{3} characters as JSON, at most 9216/);
});
