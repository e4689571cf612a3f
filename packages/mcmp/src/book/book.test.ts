import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry, type StoredRecord } from '@rollcall/core';
import { MAX_PLACES_LENGTH, parseBalancerName, parseNodeId, placesLength } from '@rollcall/protocol';
import fc from 'fast-check';
import { METHODS, readMessage } from '../messages/message.ts';
import { TestProxy, UNKNOWN } from './proxy.fixture.ts';

function config(route: string, port: number, more = ''): string {
  return `CONFIG JVMRoute=${route}&Host=127.0.0.1&Port=${port}&StickySessionForce=No&Type=http${more}`;
}

function app(command: string, route: string, path: string, alias = 'localhost'): string {
  return `${command}-APP JVMRoute=${route}&Alias=${alias}&Context=${encodeURIComponent(path)}`;
}

/** A proxy with the node n1 that serves these contexts. */
function proxyWith(...paths: string[]): TestProxy {
  const proxy = new TestProxy();
  assert.equal(proxy.say(config('n1', 7001)), '200');
  for (const path of paths) assert.equal(proxy.say(app('ENABLE', 'n1', path)), '200');
  return proxy;
}

void test('a node registers with its first context, and leaves with its last one', () => {
  const proxy = proxyWith();
  assert.equal(proxy.state('n1'), 'none');
  assert.equal(proxy.say('STATUS JVMRoute=n1&Load=50'), '200 Type=STATUS-RSP&JVMRoute=n1&State=OK&id=1');
  proxy.say(app('ENABLE', 'n1', '/a'));
  assert.equal(proxy.state('n1'), 'up /a:enabled');
  proxy.say(app('ENABLE', 'n1', '/b'));
  assert.equal(proxy.state('n1'), 'up /a:enabled /b:enabled');
  proxy.say(app('REMOVE', 'n1', '/a'));
  assert.equal(proxy.state('n1'), 'up /b:enabled');
  proxy.say(app('REMOVE', 'n1', '/b'));
  assert.match(proxy.state('n1'), /^gone/);
  proxy.say(app('ENABLE', 'n1', '/a'));
  assert.equal(proxy.state('n1'), 'up /a:enabled');
});

void test('the registration has the names, the sticky settings and the times of MCMP', () => {
  const proxy = new TestProxy();
  proxy.say(
    'CONFIG JVMRoute=node.1%3A8080&Host=127.0.0.1&Port=7001&Type=https&Balancer=My.Shop&Domain=east.1&StickySessionCookie=SID&StickySessionPath=sid&StickySessionRemove=yes',
  );
  proxy.say(app('ENABLE', 'node.1:8080', '/a'));
  const node = proxy.registry.node(proxy.resource('node--2e1--3a8080')!.id)!;
  const { balancer, group, route, url, sticky, hosts } = node.registration;
  assert.deepEqual(
    [balancer, group, route, url, hosts],
    ['my--2eshop', 'east--2e1', 'node.1:8080', 'https://127.0.0.1:7001', ['*']],
  );
  assert.deepEqual(sticky, { mode: 'suffix', cookies: ['SID'], parameters: ['sid'], failover: 'group', remove: true });
  assert.deepEqual([node.kind, node.suspectMs, node.leaseMs], ['agent', 25_000, 60_000]);
});

void test('states of contexts are those of the registry, also when all are equal and then differ again', () => {
  const proxy = proxyWith('/a', '/b');
  proxy.say(app('DISABLE', 'n1', '/a'));
  assert.equal(proxy.state('n1'), 'up /a:draining /b:enabled');
  proxy.say(app('DISABLE', 'n1', '/b'));
  assert.equal(proxy.state('n1'), 'up /a:draining /b:draining');
  proxy.say(app('ENABLE', 'n1', '/c'));
  assert.equal(proxy.state('n1'), 'up /a:draining /b:draining /c:enabled');
  proxy.say(app('STOP', 'n1', '/b'));
  assert.equal(proxy.state('n1'), 'up /a:draining /b:stopped /c:enabled');
  proxy.say('STOP-APP /* JVMRoute=n1');
  assert.equal(proxy.state('n1'), 'up /a:stopped /b:stopped /c:stopped');
  proxy.say('ENABLE-APP * JVMRoute=n1');
  assert.equal(proxy.state('n1'), 'up /a:enabled /b:enabled /c:enabled');
});

void test('a node with one disabled context does not disable the next one', () => {
  const proxy = proxyWith();
  proxy.say(app('DISABLE', 'n1', '/a'));
  assert.equal(proxy.state('n1'), 'up /a:draining');
  proxy.say(app('ENABLE', 'n1', '/b'));
  assert.equal(proxy.state('n1'), 'up /a:draining /b:enabled');
});

void test('any order of commands: the registry has the states of the book', () => {
  const step = fc.record({
    command: fc.constantFrom('ENABLE', 'DISABLE', 'STOP', 'REMOVE'),
    path: fc.constantFrom('/a', '/b', '/c'),
    alias: fc.constantFrom('x', 'y', 'x,y'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 14 }), (steps) => {
      const proxy = proxyWith();
      const books = new Map<string, string>();
      for (const { command, path, alias } of steps) {
        assert.equal(proxy.say(app(command, 'n1', path, alias)).slice(0, 3), '200');
      }
      const info = proxy.say('INFO');
      for (const [, path = '', state = ''] of info.matchAll(/Context: (\/\w), Status: (\w+)/g)) {
        const open = ['STOPPED', 'DISABLED', 'ENABLED'];
        if (open.indexOf(state) > open.indexOf(books.get(path) ?? '')) books.set(path, state);
      }
      const words: Record<string, string> = { ENABLED: 'enabled', DISABLED: 'draining', STOPPED: 'stopped' };
      const expected = [...books].map(([path, state]) => `${path}:${words[state]}`).sort();
      const actual = proxy.state('n1').split(' ').slice(1).sort();
      assert.deepEqual(books.size === 0 ? [] : actual, expected);
      if (books.size === 0) assert.match(proxy.state('n1'), /^(none|gone)/);
    }),
    { numRuns: 1_000 },
  );
});

void test('STATUS is a heartbeat: load factor, standby, not ready', () => {
  const proxy = proxyWith('/a');
  const facts = (): unknown[] => {
    const node = proxy.registry.node(proxy.resource('n1')!.id)!;
    return [node.load, proxy.resource('n1')!.isStandby, node.isReady, node.readyReason];
  };
  proxy.say('STATUS JVMRoute=n1&Load=70');
  assert.deepEqual(facts(), [0.3, false, true, undefined]);
  proxy.say('STATUS JVMRoute=n1');
  assert.deepEqual(facts(), [0.3, false, true, undefined]);
  proxy.say('STATUS JVMRoute=n1&Load=0');
  assert.deepEqual(facts(), [0.3, true, true, undefined]);
  proxy.say('STATUS JVMRoute=n1&Load=-1');
  assert.deepEqual(facts(), [0.3, true, false, 'reports Load -1']);
  assert.match(proxy.say('INFO'), /Load: -1\n/);
  proxy.say('STATUS JVMRoute=n1&Load=100');
  assert.deepEqual(facts(), [0, false, true, undefined]);
});

void test('a node is suspect after 25 s of silence, and its port decides after that', () => {
  const proxy = proxyWith('/a');
  proxy.say('STATUS JVMRoute=n1&Load=50');
  proxy.advance(25_000);
  assert.match(proxy.state('n1'), /^up/);
  proxy.advance(1_000);
  assert.match(proxy.state('n1'), /^suspect/);
  proxy.advance(600_000);
  assert.match(proxy.state('n1'), /^suspect/, 'it answers');
  proxy.say('STATUS JVMRoute=n1&Load=50');
  assert.match(proxy.state('n1'), /^up/);
  proxy.advance(26_000);
  proxy.refusing.add('http://127.0.0.1:7001');
  proxy.advance(1_000);
  assert.match(proxy.state('n1'), /^missing/);
  assert.equal(proxy.say('STATUS JVMRoute=n1&Load=50'), UNKNOWN('n1'));
});

void test('the lease of a node is 60 s from its last sign of life', () => {
  const proxy = proxyWith('/a');
  assert.equal(proxy.say(config('n2', 7002)), '200');
  proxy.say(app('ENABLE', 'n2', '/a'));
  proxy.apply({ type: 'worker-left', worker: 'w', isOver: true });
  const silence = (seconds: number): string => {
    for (let i = 0; i < seconds; i++) {
      proxy.clock.advance(1_000);
      proxy.say('STATUS JVMRoute=n2&Load=50');
      proxy.apply({ type: 'tick' });
    }
    return proxy.state('n1').split(' ')[0]!;
  };
  proxy.say('STATUS JVMRoute=n1&Load=50');
  assert.equal(silence(60), 'suspect');
  assert.equal(silence(1), 'missing');
});

void test('an unknown route is MEM, so that a node registers again', () => {
  const proxy = new TestProxy();
  for (const line of [
    'STATUS JVMRoute=x&Load=5',
    app('ENABLE', 'x', '/a'),
    'STOP-APP /* JVMRoute=x',
    'PING JVMRoute=x',
  ])
    assert.equal(proxy.say(line), UNKNOWN('x'), line);
  assert.equal(proxy.say('REMOVE-APP /* JVMRoute=x'), '200');
});

void test('aliases of one host have one vhost index; the status is per host and context', () => {
  const proxy = proxyWith();
  proxy.say(app('ENABLE', 'n1', '/a', 'one.example,two.example'));
  proxy.say(app('ENABLE', 'n1', '/b', 'TWO.example'));
  proxy.say(app('DISABLE', 'n1', '/a', 'three.example'));
  assert.equal(
    proxy.say('INFO').split('\n').slice(1).join('\n'),
    [
      'Vhost: [1:1:1], Alias: one.example',
      'Vhost: [1:1:2], Alias: two.example',
      'Vhost: [1:2:3], Alias: three.example',
      'Context: [1:1:1], Context: /a, Status: ENABLED',
      'Context: [1:1:2], Context: /b, Status: ENABLED',
      'Context: [1:2:3], Context: /a, Status: DISABLED',
    ].join('\n'),
  );
  assert.equal(proxy.state('n1'), 'up /a:enabled /b:enabled');
});

void test('issue 12.5: a node that lost its link and removed itself gets its contexts back', () => {
  const proxy = proxyWith('/a');
  proxy.say('REMOVE-APP /* JVMRoute=n1', 7);
  proxy.say(config('n1', 7001), 7);
  assert.equal(proxy.say('STATUS JVMRoute=n1&Load=86', 7), UNKNOWN('n1'));
  // It sends INFO, and registers with its contexts.
  proxy.say(config('n1', 7001), 7);
  assert.match(proxy.say('STATUS JVMRoute=n1&Load=86', 7), /State=OK/, 'once only: it may have no applications');
  proxy.say(app('ENABLE', 'n1', '/a'), 7);
  assert.equal(proxy.state('n1'), 'up /a:enabled');
});

void test('a node without applications, and one that comes back on another connection, are no resync', () => {
  const proxy = new TestProxy();
  proxy.say(config('n1', 7001), 1);
  proxy.say('REMOVE-APP /* JVMRoute=n1', 1);
  proxy.say(config('n1', 7001), 1);
  assert.match(proxy.say('STATUS JVMRoute=n1&Load=86', 1), /State=OK/);
  const other = proxyWith('/a');
  other.say('REMOVE-APP /* JVMRoute=n1', 1);
  other.book.closed(1);
  other.say(config('n1', 7001), 1);
  assert.match(other.say('STATUS JVMRoute=n1&Load=86', 1), /State=OK/);
});

void test('STOP-APP answers the requests in flight of these contexts', () => {
  const proxy = proxyWith('/a', '/b');
  const message = readMessage({
    type: 'request',
    method: 'STOP-APP',
    target: '/',
    body: 'JVMRoute=n1&Alias=localhost&Context=%2Fa%2C%2Fb',
    accept: '',
    isKeptAlive: true,
  });
  assert.ok(message?.type === 'STOP-APP');
  const reply = proxy.reply(message);
  assert.ok(reply.type === 'count');
  assert.deepEqual(
    [reply.id, reply.contexts],
    [
      'n1',
      [
        { host: '*', path: '/a' },
        { host: '*', path: '/b' },
      ],
    ],
  );
  assert.deepEqual(reply.answer(3), {
    type: 'body',
    isXml: false,
    body: 'Type=STOP-APP-RSP&JvmRoute=n1&Alias=localhost&Context=/a&Requests=3\n',
  });
  assert.equal(proxy.state('n1'), 'up /a:stopped /b:stopped');
});

void test('what an operator has requested stays through a resync', () => {
  const proxy = proxyWith('/a');
  proxy.apply({
    type: 'operator-status',
    target: { type: 'node', id: proxy.resource('n1')!.id },
    status: 'draining',
    by: 'op',
  });
  proxy.say(config('n1', 7001), 2);
  proxy.say(app('ENABLE', 'n1', '/a'), 2);
  proxy.say('STATUS JVMRoute=n1&Load=50', 2);
  assert.equal(proxy.state('n1'), 'up /a:draining');
  proxy.say('REMOVE-APP /* JVMRoute=n1', 2);
  proxy.say(config('n1', 7001), 2);
  proxy.say(app('ENABLE', 'n1', '/a'), 2);
  assert.equal(proxy.state('n1'), 'up /a:draining', 'also through a new registration');
});

void test('a context that an operator has disabled stays disabled through a resync, and through its removal', () => {
  const proxy = proxyWith('/a', '/b');
  const path = proxy.resource('n1')!.contexts[0]!.path;
  const id = proxy.resource('n1')!.id;
  proxy.apply({ type: 'operator-context-status', id, contexts: [path], status: 'draining', by: 'op' });
  assert.equal(proxy.state('n1'), 'up /a:draining /b:enabled');
  const resync = (): void => {
    proxy.say(config('n1', 7001), 2);
    for (const one of ['/a', '/b']) proxy.say(app('ENABLE', 'n1', one), 2);
    proxy.say('STATUS JVMRoute=n1&Load=50', 2);
  };
  resync();
  assert.equal(proxy.state('n1'), 'up /a:draining /b:enabled');
  proxy.say('REMOVE-APP /* JVMRoute=n1', 2);
  resync();
  assert.equal(proxy.state('n1'), 'up /a:draining /b:enabled');
  proxy.apply({ type: 'operator-context-status', id, contexts: [path], status: 'enabled', by: 'op' });
  assert.equal(proxy.state('n1'), 'up /a:enabled /b:enabled');
});

void test('a node that restarts under a new address replaces its dead self, and no living one', () => {
  const proxy = proxyWith('/a');
  const taken = 'MEM MEM: Node with "n1" JVMRoute already exists';
  assert.equal(proxy.say(config('n1', 7002)), taken);
  assert.equal(proxy.state('n1'), 'up /a:enabled');
  proxy.refusing.add('http://127.0.0.1:7001');
  proxy.advance(1_000);
  assert.equal(proxy.say(config('n1', 7002)), '200');
  proxy.say(app('ENABLE', 'n1', '/b'));
  assert.equal(proxy.resource('n1')!.url, 'http://127.0.0.1:7002');
  assert.equal(proxy.state('n1'), 'up /b:enabled');
  // Silence is enough where no worker knows the port.
  proxy.apply({ type: 'worker-left', worker: 'w', isOver: true });
  for (let i = 0; i < 26; i++) {
    proxy.clock.advance(1_000);
    proxy.apply({ type: 'tick' });
  }
  assert.equal(proxy.say(config('n1', 7003)), '200');
});

void test('two routes at one address: the living one keeps it', () => {
  const proxy = proxyWith('/a');
  assert.equal(proxy.say(config('n2', 7001)), 'MEM MEM: Another for the same worker already exist');
  proxy.refusing.add('http://127.0.0.1:7001');
  proxy.advance(1_000);
  assert.equal(proxy.say(config('n2', 7001)), '200');
  assert.equal(proxy.say('STATUS JVMRoute=n1&Load=5'), UNKNOWN('n1'));
});

void test('several balancers may share a cookie name, and the first node decides about its balancer', () => {
  const proxy = new TestProxy();
  proxy.say(config('n1', 7001, '&Balancer=one'));
  proxy.say(app('ENABLE', 'n1', '/one'));
  proxy.say(config('n2', 7002, '&Balancer=two'));
  proxy.say(app('ENABLE', 'n2', '/two'));
  proxy.say(config('n3', 7003, '&Balancer=two&StickySessionCookie=SID'));
  proxy.say(app('ENABLE', 'n3', '/two'));
  assert.match(proxy.state('n3'), /^up/);
  const balancers = proxy.say('DUMP').split('\n').slice(0, 2);
  assert.deepEqual(
    balancers.map((line) => line.replace(/^balancer: |200 balancer: /, '')),
    [
      '[1] Name: one Sticky: 1 [JSESSIONID]/[jsessionid] remove: 0 force: 0 Timeout: 0 maxAttempts: 2',
      '[2] Name: two Sticky: 1 [JSESSIONID]/[jsessionid] remove: 0 force: 0 Timeout: 0 maxAttempts: 2',
    ],
  );
  const warnings = proxy.resource('n3')!.warnings.map(({ code }) => code);
  assert.deepEqual(warnings, ['balancer-settings-differ']);
});

void test('Maxattempts and Timeout are hints: the first node decides, an operator wins, and a differing node has a warning', () => {
  const proxy = new TestProxy();
  const inForce = (): unknown => {
    const { retries, limits, origins } = proxy.registry.balancerResource(parseBalancerName('mycluster')!)!;
    return [retries, limits, origins['retries'], origins['limits.upstreamTimeoutMs']];
  };
  const warningsOf = (id: string): string[] => proxy.resource(id)!.warnings.map(({ message }) => message);
  proxy.say(config('n1', 7001, '&Maxattempts=1&Timeout=20'));
  proxy.say(app('ENABLE', 'n1', '/a'));
  const limits = { upstreamTimeoutMs: 20_000, upstreamIdleMs: 20_000 };
  assert.deepEqual(inForce(), [1, limits, 'node n1', 'node n1']);
  proxy.say(config('n2', 7002, '&Maxattempts=4'));
  proxy.say(app('ENABLE', 'n2', '/a'));
  assert.deepEqual(inForce(), [1, limits, 'node n1', 'node n1'], 'the last CONFIG does not win');
  assert.deepEqual([warningsOf('n1'), warningsOf('n2')], [[], ['for balancer mycluster retries is 1, not 4']]);
  const settings = { retries: 4, limits: { upstreamTimeoutMs: 5_000 } };
  const name = parseBalancerName('mycluster')!;
  proxy.apply({ type: 'balancer-settings', name, source: 'operator', patch: settings, by: 'op' });
  assert.deepEqual(inForce(), [4, { ...limits, upstreamTimeoutMs: 5_000 }, 'operator', 'operator']);
  assert.deepEqual(warningsOf('n2'), []);
  assert.deepEqual(warningsOf('n1'), [
    'for balancer mycluster retries is 4, not 1; limits.upstreamTimeoutMs is 5000, not 20000',
  ]);
  assert.match(proxy.say('DUMP'), /maxAttempts: 4\n/);
});

void test('hints survive a restart of the coordinator', () => {
  const proxy = new TestProxy();
  proxy.say(config('n1', 7001, '&Maxattempts=1&Timeout=20'));
  proxy.say(app('ENABLE', 'n1', '/a'));
  const nowUnixMs = 1_800_000_000_000;
  const records = JSON.parse(JSON.stringify(proxy.registry.takeRecords(nowUnixMs).write)) as StoredRecord[];
  const next = new Registry({ startedAtMs: 0 });
  next.apply({ type: 'restore', records, nowUnixMs }, 0);
  assert.equal(next.unreadableRecords, 0);
  const { retries, limits } = next.balancerResource(parseBalancerName('mycluster')!)!;
  assert.deepEqual([retries, limits], [1, { upstreamTimeoutMs: 20_000, upstreamIdleMs: 20_000 }]);
  assert.deepEqual(next.node(parseNodeId('n1')!)?.registration.hint, {
    retries: 1,
    limits: { upstreamTimeoutMs: 20_000, upstreamIdleMs: 20_000 },
  });
});

void test('a context that another balancer serves is refused, and the book stays as it was', () => {
  const proxy = proxyWith('/a');
  proxy.say(config('n2', 7002, '&Balancer=other'));
  assert.equal(proxy.say(app('ENABLE', 'n2', '/a')), 'MEM MEM: Can\'t update or insert context with "n2" JVMRoute');
  assert.match(proxy.notes[0]!, /`\/a` on `\*` is served by balancer mycluster/);
  assert.equal(proxy.say(app('ENABLE', 'n2', '/b')), '200');
  assert.equal(proxy.state('n2'), 'up /b:enabled');
});

void test('an identity serves only what it may', () => {
  const proxy = proxyWith();
  proxy.allowed = (alias, context) => alias === 'localhost' && context === '/a';
  assert.equal(proxy.say(app('ENABLE', 'n1', '/a')), '200');
  assert.match(proxy.say(app('ENABLE', 'n1', '/b')), /^GENERAL GENERAL: Context \/b on localhost/);
  assert.match(proxy.say(config('n2', 7002, '&Alias=x&Context=%2Fa')), /^GENERAL/);
  assert.equal(proxy.book.size, 1);
});

void test('only peers of its owner speak for a node', () => {
  const proxy = proxyWith('/a');
  proxy.owner = 'other';
  const refusal = 'GENERAL GENERAL: the node n1 of another identity is not allowed for this identity';
  for (const line of [
    config('n1', 7001),
    config('n1', 7002),
    'STATUS JVMRoute=n1&Load=-1',
    app('STOP', 'n1', '/a'),
    'REMOVE-APP /* JVMRoute=n1',
  ])
    assert.equal(proxy.say(line), refusal, line);
  assert.equal(proxy.state('n1'), 'up /a:enabled');
  assert.match(proxy.say('INFO'), /Name: n1,/);
});

void test('bounds: nodes, aliases and contexts', () => {
  const proxy = new TestProxy({ maxNodes: 1, maxAliases: 2, maxContexts: 2 });
  proxy.say(config('n1', 7001));
  assert.equal(proxy.say(config('n2', 7002)), 'MEM MEM: Can\'t update or insert node with "n2" JVMRoute');
  assert.match(proxy.say(app('ENABLE', 'n1', '/a', 'a,b,c')), /^MEM MEM: Can't update or insert host alias/);
  assert.equal(proxy.say(app('ENABLE', 'n1', '/a', 'a,b')), '200');
  assert.match(proxy.say(app('ENABLE', 'n1', '/b,/c', 'a')), /^MEM MEM: Can't update or insert context/);
  assert.equal(proxy.state('n1'), 'up /a:enabled');
});

void test('contexts that cannot be routed are accepted, and named in a note', () => {
  const proxy = proxyWith('/a', '/tail/');
  assert.equal(proxy.state('n1'), 'up /a:enabled /tail:enabled');
  proxy.say(app('ENABLE', 'n1', '/x y'));
  assert.match(proxy.notes[0]!, /^node n1 gets no requests for contexts \/x y$/);
  for (let i = 0; i < 130; i++) proxy.say(app('ENABLE', 'n1', `/c${i}`));
  assert.match(proxy.notes.at(-1)!, /^node n1 gets no requests for contexts \/x y, \/c126, \/c127, \/c128, \/c129$/);
  assert.equal(proxy.places('n1').length, 128);
});

/** A proxy whose node n1 has these virtual hosts: aliases → contexts. */
function aliasProxy(hosts: Readonly<Record<string, readonly string[]>>): TestProxy {
  const proxy = new TestProxy({ hasAliases: true });
  proxy.say(config('n1', 7001));
  for (const [aliases, paths] of Object.entries(hosts))
    for (const path of paths) assert.equal(proxy.say(app('ENABLE', 'n1', path, encodeURIComponent(aliases))), '200');
  return proxy;
}

void test('with aliases a context is served on those of its virtual host, in its state on each', () => {
  const proxy = aliasProxy({ 'Shop.example,www.shop.example:8080': ['/', '/app'], 'intern.example': ['/app'] });
  assert.deepEqual(proxy.places('n1'), [
    'intern.example/app:enabled',
    'shop.example/:enabled',
    'shop.example/app:enabled',
    'www.shop.example/:enabled',
    'www.shop.example/app:enabled',
  ]);
  proxy.say(app('DISABLE', 'n1', '/app', 'intern.example'));
  proxy.say(app('STOP', 'n1', '/', 'shop.example,www.shop.example:8080'));
  assert.deepEqual(proxy.places('n1'), [
    'intern.example/app:draining',
    'shop.example/:stopped',
    'shop.example/app:enabled',
    'www.shop.example/:stopped',
    'www.shop.example/app:enabled',
  ]);
  // All in one state, and then different ones again.
  proxy.say('STOP-APP /* JVMRoute=n1');
  assert.ok(proxy.places('n1').every((place) => place.endsWith(':stopped')));
  proxy.say(app('ENABLE', 'n1', '/app', 'intern.example'));
  assert.deepEqual(
    proxy.places('n1').map((place) => place.endsWith(':enabled')),
    [true, false, false, false, false],
  );
  proxy.say(app('REMOVE', 'n1', '/app', 'intern.example'));
  assert.deepEqual(proxy.places('n1').length, 4);
});

void test('with aliases a virtual host with local names only is served on every host', () => {
  for (const aliases of ['localhost', 'default-host,localhost', 'localhost,127.0.0.1'])
    assert.deepEqual(aliasProxy({ [aliases]: ['/app'] }).places('n1'), ['*/app:enabled'], aliases);
  const named = aliasProxy({ 'default-host,localhost,shop.example': ['/app'], localhost: ['/other'] });
  assert.deepEqual(named.places('n1'), [
    'default-host/app:enabled',
    'default-host/other:enabled',
    'localhost/app:enabled',
    'localhost/other:enabled',
    'shop.example/app:enabled',
    'shop.example/other:enabled',
  ]);
});

void test('aliases that are no host names are named in a note, and do not route', () => {
  const proxy = aliasProxy({ 'my shop,*,shop.example,*.example.net': ['/app'] });
  assert.deepEqual(proxy.places('n1'), ['*.example.net/app:enabled', 'shop.example/app:enabled']);
  assert.equal(proxy.notes.at(-1), 'node n1 gets no requests for aliases that are no host names my shop, *');
  assert.equal(aliasProxy({ 'my shop': ['/app'] }).state('n1'), 'none');
});

void test('with aliases two nodes may have the same path on hosts of their own, in balancers of their own as well', () => {
  const proxy = aliasProxy({ 'a.example': ['/'] });
  assert.equal(proxy.say(config('n2', 7002, '&Balancer=other')), '200');
  assert.equal(proxy.say(app('ENABLE', 'n2', '/', 'b.example')), '200');
  assert.deepEqual(proxy.places('n2'), ['b.example/:enabled']);
  assert.match(proxy.say(app('ENABLE', 'n2', '/', 'a.example')), /^MEM/);
});

void test('40 contexts with 20 aliases each fit a registration, and what does not is named', () => {
  const aliases = Array.from({ length: 20 }, (_, i) => `www${i}.applications.example`);
  const paths = Array.from({ length: 40 }, (_, i) => `/application-${i}`);
  const proxy = aliasProxy({ [aliases.join()]: paths });
  assert.deepEqual([proxy.places('n1').length, proxy.notes], [800, []]);
  const other = aliases.map((alias) => alias.replace('www', 'x')).join();
  for (const path of paths) proxy.say(app('ENABLE', 'n1', path, encodeURIComponent(other)));
  assert.match(proxy.notes.at(-1)!, /^node n1 gets no requests for contexts \/.* and \d+ more$/);
  const { registration } = proxy.registry.node(proxy.resource('n1')!.id)!;
  assert.ok(placesLength(registration) <= MAX_PLACES_LENGTH);
});

void test('the requests of a context are counted on its own aliases', () => {
  const proxy = aliasProxy({ 'a.example,localhost': ['/app'], 'b.example': ['/app'] });
  const message = readMessage({
    type: 'request',
    method: 'STOP-APP',
    target: '/',
    body: 'JVMRoute=n1&Alias=a.example&Context=%2Fapp',
    accept: '',
    isKeptAlive: true,
  });
  assert.ok(message !== undefined && message.type === 'STOP-APP');
  const reply = proxy.reply(message);
  assert.deepEqual(reply.type === 'count' && reply.contexts, [
    { host: 'a.example', path: '/app' },
    { host: 'localhost', path: '/app' },
  ]);
});

void test('names without a form of ours are SYNTAX: they will never be accepted', () => {
  const proxy = new TestProxy();
  const unreadable = /Can't parse MCMP message/;
  assert.match(proxy.say('CONFIG JVMRoute=a%20b&Type=http&Port=7001'), unreadable);
  assert.match(proxy.say('CONFIG JVMRoute=a%2525b41&Type=http&Port=7001'), unreadable);
  assert.match(proxy.say(`CONFIG JVMRoute=${'.'.repeat(20)}&Type=http&Port=7001`), /JVMRoute field too big/);
  assert.match(proxy.say('CONFIG JVMRoute=a&Type=http&Port=7001&Host=a_%2F'), /Host field has bad value/);
});

void test('a node over AJP, the default of mod_cluster', () => {
  const proxy = new TestProxy();
  assert.equal(proxy.say('CONFIG JVMRoute=n1&Host=127.0.0.1&Port=8009'), '200');
  proxy.say(app('ENABLE', 'n1', '/a'));
  assert.deepEqual([proxy.state('n1'), proxy.resource('n1')?.url], ['up /a:enabled', 'ajp://127.0.0.1:8009']);
  assert.match(proxy.say('INFO'), /Port: 8009,Type: ajp,/);
  assert.match(proxy.say('PING Scheme=ajp&Host=127.0.0.1&Port=8009'), /State=OK/);
  assert.match(proxy.say('PING Scheme=http&Host=127.0.0.1&Port=8009'), /State=NOTOK/);
  assert.equal(proxy.say(config('n1', 8009)), 'MEM MEM: Node with "n1" JVMRoute already exists');
});

void test('PING: the proxy, a node, an address', () => {
  const proxy = proxyWith('/a');
  assert.equal(proxy.say('PING'), '200 Type=PING-RSP&State=OK&id=1');
  assert.equal(proxy.say('PING JVMRoute=n1'), '200 Type=PING-RSP&JVMRoute=n1&State=OK&id=1');
  assert.match(proxy.say('PING Scheme=http&Host=127.0.0.1&Port=7001'), /State=OK/);
  assert.match(proxy.say('PING Scheme=http&Host=127.0.0.1&Port=7002'), /State=NOTOK/);
  proxy.refusing.add('http://127.0.0.1:7001');
  proxy.advance(1_000);
  assert.match(proxy.say('PING JVMRoute=n1'), /State=NOTOK/);
  assert.match(proxy.say('STATUS JVMRoute=n1&Load=5'), /State=NOTOK/);
});

void test('an operator removes a node: its next STATUS is MEM, and it may come back', () => {
  const proxy = proxyWith('/a');
  proxy.apply({ type: 'remove', id: proxy.resource('n1')!.id, by: 'op' });
  assert.equal(proxy.say('STATUS JVMRoute=n1&Load=5'), UNKNOWN('n1'));
  assert.equal(proxy.say(config('n1', 7001)), '200');
  assert.equal(proxy.say(app('ENABLE', 'n1', '/a')), '200');
  assert.equal(proxy.state('n1'), 'up /a:enabled');
});

/** The proxy after a restart: its registry comes from the store, its book is empty. */
function restarted({ registry }: TestProxy): TestProxy {
  const { write } = registry.takeRecords(1_800_001_000_000);
  const again = new TestProxy();
  again.apply({ type: 'restore', records: write, nowUnixMs: 1_800_001_000_000 });
  return again;
}

void test('after a restart of the coordinator the registry keeps the node until it registers again', () => {
  const again = restarted(proxyWith('/a'));
  assert.match(again.state('n1'), /^suspect \/a:enabled/);
  assert.equal(again.registry.node(again.resource('n1')!.id)!.leaseMs, 60_000);
  assert.equal(again.say('STATUS JVMRoute=n1&Load=5'), UNKNOWN('n1'));
  again.say(config('n1', 7001));
  again.say(app('ENABLE', 'n1', '/a'));
  assert.match(again.say('STATUS JVMRoute=n1&Load=5'), /State=OK/);
  assert.equal(again.state('n1'), 'up /a:enabled');
});

void test('after a restart of the coordinator a node names its contexts one by one, and keeps all of them until STATUS', () => {
  const proxy = restarted(proxyWith('/a', '/b', '/c'));
  for (const line of [config('n1', 7001), app('ENABLE', 'n1', '/b'), app('ENABLE', 'n1', '/d')]) {
    assert.equal(proxy.say(line), '200');
    assert.equal(proxy.state('n1'), 'suspect /a:enabled /b:enabled /c:enabled');
  }
  assert.match(proxy.say('STATUS JVMRoute=n1&Load=50'), /State=OK/);
  assert.equal(proxy.state('n1'), 'up /b:enabled /d:enabled');
  proxy.say(app('ENABLE', 'n1', '/a'));
  assert.equal(proxy.state('n1'), 'up /b:enabled /d:enabled /a:enabled');
});

void test('after a restart a command that takes a context away does not wait for STATUS', () => {
  const proxy = restarted(proxyWith('/a', '/b'));
  proxy.say(config('n1', 7001));
  proxy.say(app('ENABLE', 'n1', '/a'));
  proxy.say(app('DISABLE', 'n1', '/b'));
  assert.equal(proxy.state('n1'), 'up /a:enabled /b:draining');
});

void test('after a restart a node at another address is another process, which has named nothing', () => {
  const proxy = restarted(proxyWith('/a', '/b'));
  proxy.say(config('n1', 7002));
  proxy.say(app('ENABLE', 'n1', '/b'));
  assert.equal(proxy.state('n1'), 'up /b:enabled');
});

void test('a context that was disabled before a restart is enabled by its node', () => {
  const before = proxyWith('/a', '/b');
  before.say(app('DISABLE', 'n1', '/a'));
  const proxy = restarted(before);
  proxy.say(config('n1', 7001));
  for (const path of ['/a', '/b']) proxy.say(app('ENABLE', 'n1', path));
  proxy.say('STATUS JVMRoute=n1&Load=50');
  assert.equal(proxy.state('n1'), 'up /a:enabled /b:enabled');
});

void test('XML is escaped, and has the elements of the original', () => {
  const proxy = proxyWith('/a&b');
  const answer = proxy.answer({ type: 'INFO', isXml: true });
  assert.ok(answer.type === 'body' && answer.isXml);
  assert.match(
    answer.body,
    /^<\?xml version="1.0" standalone="yes" \?>\n<Info><Nodes><Node id="1" name="n1"><Balancer>mycluster<\/Balancer>/,
  );
  assert.match(
    answer.body,
    /<Context id="1"><Status id="1">ENABLED<\/Status><Context>\/a&amp;b<\/Context><Node id="1"\/>/,
  );
  const dump = proxy.answer({ type: 'DUMP', isXml: true });
  assert.ok(dump.type === 'body');
  assert.match(dump.body, /<Hosts><Host id="1" alias="localhost"><Vhost>1<\/Vhost><Node>1<\/Node><\/Host><\/Hosts>/);
  assert.match(proxy.say('VERSION'), /^200 release: .*, protocol: 0.2.1$/);
});

void test('any messages in any order: the book never throws, and stays within its bounds', () => {
  const route = fc.constantFrom('n1', 'n2', 'a.b:1', 'x y');
  const body = fc
    .tuple(
      route,
      fc.constantFrom('', '&Host=127.0.0.1', '&Host=%3A%3A1'),
      fc.constantFrom('', '&Port=7001', '&Port=7002', '&Port=0'),
      fc.constantFrom('', '&Type=http', '&Type=https'),
      fc.constantFrom('', '&Alias=a', '&Alias=a,b', '&Alias=c'),
      fc.constantFrom('', '&Context=/a', '&Context=/a,/b', '&Context=x'),
      fc.constantFrom('', '&Load=5', '&Load=-1', '&Load=0'),
    )
    .map(([name, ...parts]) => `JVMRoute=${name}${parts.join('')}`);
  const step = fc.record({
    method: fc.constantFrom(...METHODS),
    target: fc.constantFrom('/', '/*'),
    body,
    connection: fc.nat(2),
    ms: fc.constantFrom(0, 0, 0, 30_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const proxy = new TestProxy({ maxNodes: 2, maxAliases: 3, maxContexts: 3 });
      for (const { method, target, body: text, connection, ms } of steps) {
        proxy.advance(ms);
        const message = readMessage({ type: 'request', method, target, body: text, accept: '', isKeptAlive: true });
        if (message !== undefined && message.type !== 'fault') proxy.answer(message, connection);
        assert.ok(proxy.book.size <= 2);
      }
    }),
    { numRuns: 300 },
  );
});
