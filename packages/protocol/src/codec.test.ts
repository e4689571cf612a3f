import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeAgentMessage, decodeCoordinatorMessage, encode } from './codec.ts';
import { isErrorCode } from './error-codes.ts';
import { decodeFeedToCoordinator, decodeFeedToWorker } from './feed-codec.ts';
import { isName, nodeAddress, parseContextPath, parseHostPattern, parseNodeUrl } from './ids.ts';

const NODE = { id: 'shop-1', balancer: 'shop', url: 'http://10.0.0.5:3000' };

function codeOf(message: unknown): string {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  const decoded = decodeAgentMessage(text);
  return decoded.type === 'malformed' ? decoded.code : `accepted ${decoded.type}`;
}

test('a registration needs id, balancer and url only, and gets the documented defaults', () => {
  assert.deepEqual(decodeAgentMessage(JSON.stringify({ type: 'register', node: NODE })), {
    type: 'register',
    node: { ...NODE, route: 'shop-1', contexts: [{ path: '/' }], hosts: ['*'], weight: 1, loadHeader: false, meta: {} },
  });
});

test('a registration that was decoded encodes to what decodes to the same', () => {
  const full = {
    ...NODE,
    route: 'r1',
    contexts: [{ path: '/app' }],
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
    [{ type: 'register', node: { ...NODE, hosts: Array(17).fill('*') } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, weight: 0 } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, meta: { a: 'line\nfeed' } } }, 'bad-field'],
    [{ type: 'register', node: { ...NODE, proves: 'yes' } }, 'bad-field'],
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

test('no text makes a decoder throw, and every refusal has a code of the table', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({
        type: fc.constantFrom('register', 'heartbeat', 'status', 'registered', 'changes', 'counters', 'answer'),
        node: fc.anything(),
        nodes: fc.anything(),
        totals: fc.anything(),
        changes: fc.anything(),
      })
      .map((value) => JSON.stringify(value) ?? ''),
  );
  const neverThrows = fc.property(anything, (text) => {
    for (const decode of [decodeAgentMessage, decodeCoordinatorMessage, decodeFeedToWorker, decodeFeedToCoordinator]) {
      const decoded = decode(text);
      if (decoded.type === 'malformed') assert.ok(isErrorCode(decoded.code));
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
  // Seeds that stay, and one that is printed when it finds something.
  for (const seed of [1, 20_261_201, Math.floor(Math.random() * 2 ** 31)])
    fc.assert(neverThrows, { seed, numRuns: 300 });
});

test('names are short, plain and never JavaScript built-ins', () => {
  for (const good of ['a', 'A-b_9', 'x'.repeat(64)]) assert.ok(isName(good));
  for (const bad of ['', 'x'.repeat(65), 'a.b', 'ä', 'a b', 'a\n', '__proto__', 'constructor', '..', 'а'])
    assert.ok(!isName(bad), bad);
});

test('addresses are taken as they are written or not at all', () => {
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
  assert.deepEqual(nodeAddress(parseNodeUrl('http://[::1]:80')!), { isTls: false, host: '::1', port: 80 });
});

test('context paths and hosts', () => {
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
  // The Kelvin sign is k in lower case.
  assert.equal(parseHostPattern('\u212A.example'), undefined);
});

test('sessions of a worker are read within bounds, and are hashes and nothing else', () => {
  const sessions = (seen: unknown, rest: object = {}): unknown =>
    decodeFeedToCoordinator(
      JSON.stringify({ type: 'sessions', nodes: [{ id: 'n1', level: 1, partMs: 10, partEndsInMs: 5, seen, ...rest }] }),
    );
  const good = { id: 'n1', level: 1, partMs: 10, partEndsInMs: 5, seen: [[2, 'AAAAAAAA-_090aZz']] };
  assert.deepEqual(sessions(good.seen), { type: 'sessions', nodes: [good] });
  for (const bad of [
    [[0, 'AAAA']],
    [[0, 'AAAAAAA=']],
    [[0, '']],
    [[-1, 'AAAAAAAA']],
    [[65, 'AAAAAAAA']],
    [['0', 'AAAAAAAA']],
    [[0]],
  ])
    assert.equal((sessions(bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
  assert.equal((sessions([[0, 'A'.repeat(8 * 16_385)]]) as { type: string }).type, 'malformed');
  assert.equal((sessions([], { level: 25 }) as { type: string }).type, 'malformed');
});

test('what a worker sees of new sessions is read within bounds', () => {
  const sample = {
    balancer: 'shop',
    routed: 1,
    unrouted: 100,
    other: 0,
    strange: 0,
    opened: 0,
    renewed: 0,
    foreign: 0,
    foreignRouted: 0,
    returned: 2,
    refused: 3,
    name: 'connect.sid',
    writes: [{ node: 'n1', route: 'r1' }],
  };
  const sticky = (rest: object): unknown =>
    decodeFeedToCoordinator(JSON.stringify({ type: 'sticky', revision: 4, balancers: [{ ...sample, ...rest }] }));
  assert.deepEqual(sticky({}), { type: 'sticky', revision: 4, balancers: [sample] });
  for (const bad of [
    { balancer: 'a b' },
    { routed: 101 },
    { refused: -1 },
    { name: 'a b' },
    { foreignName: 'x'.repeat(65) },
    { writes: [{ node: 'n1', route: 'a.b' }] },
    { writes: new Array(5).fill({ node: 'n1', route: 'r1' }) },
  ])
    assert.equal((sticky(bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
});

test('how old a node and its numbers are is read within bounds, need not be told, and what is unknown is ignored', () => {
  const node = {
    index: 7,
    id: 'n1',
    balancer: 'shop',
    url: 'http://10.0.0.5:3000',
    route: 'n1',
    hosts: ['*'],
    contexts: [{ path: '/', status: 'enabled' }],
    weight: 1,
    incarnation: 1,
    liveness: 'up',
    hasAgent: true,
    isConnected: true,
    isReady: true,
    probe: 'options',
    standby: false,
    loadHeader: false,
  };
  const change = (rest: object): unknown =>
    decodeFeedToWorker(
      JSON.stringify({ type: 'changes', revision: 4, changes: [{ type: 'node', node: { ...node, ...rest } }] }),
    );
  const told = (rest: object) => ({
    type: 'changes',
    revision: 4,
    changes: [{ type: 'node', node: { ...node, ...rest } }],
  });
  assert.deepEqual(change({}), told({}));
  const ages = { ageMs: 31_536_000_000, load: 0.5, sessions: 3, loadAgeMs: 0.5 };
  assert.deepEqual(change({ ...ages, later: 1 }), told(ages));
  for (const bad of [-1, '1', true, Number.MAX_VALUE]) {
    assert.equal((change({ ageMs: bad }) as { type: string }).type, 'malformed', `age ${bad}`);
    assert.equal((change({ loadAgeMs: bad }) as { type: string }).type, 'malformed', `age of load ${bad}`);
  }
});

test('what a worker has to know of the life of a node is read, and what is not said is the usual', () => {
  const node = {
    id: 'n1',
    balancer: 'shop',
    url: 'http://10.0.0.5:3000',
    route: 'n1',
    hosts: ['*'],
    contexts: [{ path: '/', status: 'enabled' }],
  };
  const change = (rest: object) => {
    const message = decodeFeedToWorker(
      JSON.stringify({ type: 'changes', revision: 4, changes: [{ type: 'node', node: { ...node, ...rest } }] }),
    );
    return message.type === 'changes' && message.changes[0]?.type === 'node' ? message.changes[0].node : message;
  };
  const told = {
    instance: 'ab'.repeat(16),
    liveness: 'down',
    hasAgent: false,
    isConnected: false,
    isReady: false,
    silentMs: 3_100,
    probe: 'head',
    probePath: '/health',
    flapping: true,
  };
  assert.deepEqual({ ...change(told), ...told }, change(told));
  assert.deepEqual(
    [change({ liveness: 'up' })].map((known) =>
      'hasAgent' in known ? [known.hasAgent, known.isReady, known.probe] : [],
    ),
    [[true, true, 'options']],
  );
  for (const bad of [{ liveness: 'dead' }, { probe: 'guess' }, { silentMs: -1 }, { instance: 7 }, { flapping: 1 }])
    assert.equal((change({ liveness: 'up', ...bad }) as { type?: string }).type, 'malformed', JSON.stringify(bad));
});

test('an error says whether the holder of a name is connected, or not at all', () => {
  const error = { type: 'error', code: 'superseded', message: 'x' };
  for (const told of [{}, { holderConnected: true }, { holderConnected: false }])
    assert.deepEqual(decodeCoordinatorMessage(JSON.stringify({ ...error, ...told })), { ...error, ...told });
  assert.equal(decodeCoordinatorMessage(JSON.stringify({ ...error, holderConnected: 1 })).type, 'malformed');
});

test('reports of ports and counts of failovers are read within bounds', () => {
  const ports = (item: unknown): unknown => decodeFeedToCoordinator(JSON.stringify({ type: 'ports', ports: [item] }));
  for (const port of ['unknown', 'answers', 'unresponsive', 'refused', 'given-up'])
    assert.deepEqual(ports(['n1', port]), { type: 'ports', ports: [['n1', port]] });
  for (const bad of [['n1'], ['n1', 'dead'], ['n.1', 'answers'], ['n1', 'answers', 1], 'n1', null])
    assert.equal((ports(bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
  const failovers = (row: object): unknown => {
    const message = decodeFeedToCoordinator(
      JSON.stringify({ type: 'counters', revision: 1, nodes: [], totals: {}, failovers: [row] }),
    );
    return message.type === 'counters' ? message.failovers : message.type;
  };
  const row = { balancer: 'shop', node: 'n1', cause: 'refused', count: 3 };
  assert.deepEqual(failovers(row), [row]);
  for (const bad of [{ cause: 'bored' }, { count: -1 }, { node: '' }, { balancer: 'a b' }])
    assert.equal(failovers({ ...row, ...bad }), 'malformed', JSON.stringify(bad));
});

test('loads and shares are read within bounds; what is missing at the end of a load is not told', () => {
  const read = (type: 'loads' | 'shares', item: unknown): unknown =>
    decodeFeedToWorker(JSON.stringify({ type, [type]: [item] }));
  assert.deepEqual(read('loads', [7, 0.5, -1]), { type: 'loads', loads: [[7, 0.5, -1, -1, -1, -1]] });
  assert.deepEqual(read('loads', [7, 1, 2, 3, 4, 5.5]), { type: 'loads', loads: [[7, 1, 2, 3, 4, 5.5]] });
  for (const bad of [
    [7, 0.5],
    [7, 0.5, 1, 1, 1, 1, 1],
    [7.5, 0, 0],
    [7, 1.1, 0],
    [7, 0, -2],
    [7, 0, 0, 0, '3'],
    [7, 0, 0, 0, 1e16],
    [7, 0, 0, 0, 0, 86_400_001],
    [7, 0, 0, 0, 0, null],
  ])
    assert.equal((read('loads', bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
  assert.deepEqual(read('shares', ['shop', 0.25]), { type: 'shares', shares: [['shop', 0.25]] });
  for (const bad of [['shop'], ['a b', 0.5], ['shop', 0], ['shop', 1.5], ['shop', '1'], [1, 1], 'shop'])
    assert.equal((read('shares', bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
});

test('values and scales of metrics are read within bounds', () => {
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

/** Decodes frames of both directions. */
const FEED_SIDES = { coordinator: decodeFeedToWorker, worker: decodeFeedToCoordinator } as const;

for (const [side, decode] of Object.entries(FEED_SIDES)) {
  const typeOf = (message: unknown): string => decode(JSON.stringify(message)).type;

  test(`a feed message of a ${side} of a newer release is skipped, one that is broken is not`, () => {
    for (const type of ['tidings', 'hello2', 'x'.repeat(300), ''])
      assert.equal(typeOf({ type, more: [1, { deep: true }] }), 'unknown', type);
    for (const type of [undefined, null, 7, ['hello'], {}]) assert.equal(typeOf({ type }), 'malformed', String(type));
  });

  test(`the hello of a ${side} without a feed version is of version 1`, () => {
    const versionOf = (feedVersion: unknown): unknown => {
      const hello = decode(JSON.stringify({ type: 'hello', worker: 'w0', epoch: 'e', feedVersion, sort: 'new' }));
      return hello.type === 'hello' ? hello.feedVersion : hello.type;
    };
    assert.deepEqual([undefined, null, 1, 2, 0, 70].map(versionOf), [1, 1, 1, 2, 0, 70]);
    for (const bad of ['1', 1.5, -1, [1], true]) assert.equal(versionOf(bad), 'malformed', String(bad));
  });
}

test('changes and questions of a newer release are skipped, those beside them are not', () => {
  const settled = { type: 'settled', isSettled: true, learningMs: 0 };
  const changes = (...list: unknown[]): unknown =>
    decodeFeedToWorker(JSON.stringify({ type: 'changes', revision: 3, changes: list }));
  assert.deepEqual(changes({ type: 'moved', id: 'a' }, settled, { type: 'rack', rack: {} }), {
    type: 'changes',
    revision: 3,
    changes: [settled],
  });
  assert.deepEqual(changes({ type: 'moved' }), { type: 'changes', revision: 3, changes: [] });
  for (const bad of [{}, { type: 5 }, 'settled', { type: 'gone' }])
    assert.equal((changes(settled, bad) as { type: string }).type, 'malformed', JSON.stringify(bad));
  const asked = (question: unknown): string =>
    decodeFeedToWorker(JSON.stringify({ type: 'ask', id: 1, question })).type;
  assert.deepEqual([{ type: 'weather' }, { type: 'scoreboard' }, {}, { type: 1 }, undefined].map(asked), [
    'unknown',
    'ask',
    'malformed',
    'malformed',
    'malformed',
  ]);
});
