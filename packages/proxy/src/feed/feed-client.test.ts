import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { seededRng } from '@rollcall/core/testing';
import {
  encodeFeed,
  FEED_PATH,
  FEED_SUBPROTOCOL,
  FEED_VERSION,
  type FeedToWorker,
  hashesIn,
  MAX_FEED_BYTES,
  NO_COUNTERS,
  type WorkerCountersMessage,
  type WorkerSessions,
} from '@rollcall/feed';
import type { WebSocket } from 'ws';
import { cookieOf, feedBalancer, feedNode, goneChange, TestCluster } from '../cluster/cluster.fixture.ts';
import { ManualDelays } from './delay.fixture.ts';
import { FailoverCounters } from './failover-counters.ts';
import { TestFeed } from './feed.fixture.ts';
import { FeedClient, feedUrl } from './feed-client.ts';

/** Interval at which the feed client checks for changes to report. */
const TICK_MS = 500;
/** Interval at which the feed client checks all ports. */
const PORTS_MS = 200;

/** Errors thrown by an answer, by the requested target. */
const FAULTS: Readonly<Record<string, unknown>> = {
  '/error': new TypeError("cannot read properties of undefined (reading 'id')"),
  '/long': new Error('x'.repeat(5_000)),
  '/text': 'a text',
  '/null': null,
  '/object': Object.create(null),
};

/** Resolves when `isSo`, which is checked in each turn of the event loop. */
async function turnsUntil(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

async function connected(
  run: (feed: TestFeed, client: FeedClient, cluster: TestCluster, warnings: string[]) => Promise<void>,
  {
    hasTicks = true,
    hasPortTicks = true,
    delays = [] as number[],
    hurries = false,
    failovers = new FailoverCounters(),
  } = {},
): Promise<void> {
  const feed = await TestFeed.open();
  const cluster = new TestCluster();
  const warnings: string[] = [];
  const client = new FeedClient({
    url: `http://127.0.0.1:${feed.port}`,
    token: 'proxy-token',
    worker: 'local-0',
    version: '0.1.0',
    view: cluster.view,
    now: () => performance.now(),
    rng: seededRng(1),
    delay: (callback, delayMs) => {
      delays.push(delayMs);
      if (!hasTicks && delayMs === TICK_MS) return () => {};
      if (!hasPortTicks && delayMs === PORTS_MS) return () => {};
      const timer = setTimeout(callback, hurries && delayMs >= 5_000 ? 50 : delayMs);
      return () => clearTimeout(timer);
    },
    log: {
      info: () => {},
      warn: (fields, message) => warnings.push(`${message} ${'what' in fields ? String(fields.what) : ''}`),
    },
    counters: () => NO_COUNTERS,
    failovers,
    answer: (question) => {
      if (question.type === 'explain') throw FAULTS[question.target];
      return { type: 'scoreboard', connections: [] };
    },
    onApplied: () => cluster.reported.push('applied'),
  });
  client.start();
  try {
    await feed.until('hello');
    await run(feed, client, cluster, warnings);
    assert.ok(delays.includes(TICK_MS), 'the period of ticks is different now');
  } finally {
    client.close();
    await feed.close();
  }
}

void test('a worker sends its name, applies the snapshot and confirms it', () =>
  connected(async (feed, client, cluster) => {
    assert.equal(feed.upgrade?.url, FEED_PATH);
    assert.equal(feed.upgrade?.headers.authorization, 'Bearer proxy-token');
    assert.equal(feed.upgrade?.headers['sec-websocket-protocol'], FEED_SUBPROTOCOL);
    const { worker, pid, version } = await feed.until('hello');
    assert.deepEqual([worker, pid, version], ['local-0', process.pid, '0.1.0']);
    assert.equal(client.isSynced, false);
    feed.sendSnapshot(['a', 'b']);
    assert.equal((await feed.until('applied')).revision, 1);
    assert.equal(client.isSynced, true);
    assert.equal(cluster.ask('rc_route=x.b').node, 'b');
  }));

void test('the log warns of a feed that stays missing, once, and reports its return only then', async (t) => {
  const feed = await TestFeed.open();
  const delays = new ManualDelays();
  const lines: string[] = [];
  const { view } = new TestCluster();
  const client = new FeedClient({
    url: `http://127.0.0.1:${feed.port}`,
    token: 'proxy-token',
    worker: 'local-0',
    version: '0.1.0',
    view,
    now: () => delays.nowMs(),
    rng: seededRng(1),
    delay: delays.delay,
    log: {
      info: (_, message) => lines.push(message),
      warn: (fields, message) => lines.push(`${message} (${'reason' in fields ? String(fields.reason) : ''})`),
    },
    counters: () => NO_COUNTERS,
    failovers: new FailoverCounters(),
    answer: () => ({ type: 'scoreboard', connections: [] }),
    onApplied: () => {},
  });
  t.after(async () => {
    client.close();
    await feed.close();
  });
  client.start();
  await feed.until('hello');
  delays.advance(4_500);
  assert.deepEqual(lines, []);
  delays.advance(2_000);
  const warning = 'no feed of the coordinator: serving the last known cluster, retrying (waiting for the snapshot)';
  assert.deepEqual(lines, [warning]);
  feed.sendSnapshot(['a']);
  await turnsUntil(() => client.isSynced);
  assert.deepEqual(lines, [warning, 'the feed is connected again']);
  // An absence as of a reload is not logged.
  const again = once(feed.server, 'connection');
  feed.received.length = 0;
  feed.socket!.terminate();
  await turnsUntil(() => !client.isSynced);
  delays.advance(1_000);
  await again;
  await feed.until('hello');
  feed.sendSnapshot(['a'], 'e2');
  await turnsUntil(() => client.isSynced);
  assert.equal(lines.length, 2, lines.join());
});

void test('changes are confirmed when they are in effect, several together when they arrive fast', () =>
  connected(async (feed, _client, cluster) => {
    feed.sendSnapshot(['a']);
    for (let revision = 2; revision <= 20; revision++)
      feed.send({ type: 'changes', revision, changes: [{ type: 'node', node: feedNode(`n${revision}`) }] });
    await feed.until('applied', ({ revision }) => revision === 20);
    assert.equal(cluster.view.nodes.size, 20);
    assert.ok(feed.received.filter(({ type }) => type === 'applied').length <= 5);
  }));

void test('ports that change in one turn are reported in one message, and no other node is read', () =>
  connected(
    async (feed, client, cluster) => {
      feed.sendSnapshot(['a', 'b', 'c', 'd']);
      await feed.until('applied');
      for (const id of ['a', 'b', 'c']) cluster.refuse(id);
      for (const id of ['a', 'b']) client.portSoon(cluster.node(id));
      const { ports } = await feed.until('ports');
      assert.deepEqual(ports, [
        ['a', 'refused'],
        ['b', 'refused'],
      ]);
      client.portSoon(cluster.node('c'));
      await feed.until('ports', (message) => message.ports[0]?.[0] === 'c');
    },
    { hasPortTicks: false },
  ));

void test('counters of all nodes are sent first, then counters that have changed', () =>
  connected(async (feed, _client, cluster) => {
    feed.sendSnapshot(['a', 'b']);
    const all = await feed.until('counters');
    assert.deepEqual(
      all.nodes.map(({ id }) => id),
      ['a', 'b'],
    );
    cluster.request('rc_route=b');
    const changed = await feed.until('counters', (message) => message !== all && message.nodes.length > 0);
    assert.deepEqual(
      changed.nodes.map(({ id, requests }) => [id, requests]),
      [['b', 1]],
    );
    assert.equal(changed.revision, 1);
  }));

void test('a drain of an idle node is reported without waiting for the next regular counters', () =>
  connected(
    async (feed) => {
      feed.sendSnapshot([feedNode('a', { status: 'draining' })]);
      const { nodes } = await feed.until('counters', ({ revision }) => revision === 1);
      assert.deepEqual(
        nodes.map(({ id, inFlight }) => [id, inFlight]),
        [['a', 0]],
      );
      const node = feedNode('a', { status: 'stopped' });
      feed.send({ type: 'changes', revision: 2, changes: [{ type: 'node', node }] });
      await feed.until('counters', ({ revision }) => revision === 2);
    },
    { hasTicks: false },
  ));

void test('counters of many nodes and moved sessions are sent in several messages, and only the last names the revision', () => {
  const failovers = new FailoverCounters();
  const [balancer] = [feedBalancer().name];
  for (let i = 0; i < 9_000; i++) failovers.count(balancer, feedNode(`${i}-`.padEnd(64, 'f')).id, 'unresponsive');
  return connected(
    async (feed) => {
      const nodes = Array.from({ length: 4_000 }, (_, i) => feedNode(`${i}-`.padEnd(64, 'n'), { status: 'draining' }));
      feed.send({ type: 'hello', epoch: 'e1', feedVersion: FEED_VERSION });
      for (let part = 0; part < 40; part++)
        feed.send({
          type: 'snapshot',
          part,
          parts: 40,
          nodes: nodes.slice(part * 100, part * 100 + 100),
          balancers: part === 0 ? [feedBalancer()] : [],
          remembered: [],
        });
      feed.send({ type: 'commit', epoch: 'e1', revision: 7, isSettled: true, learningMs: 0, leaseMs: 20_000 });
      await feed.until('counters', ({ revision }) => revision === 7);
      const messages = feed.received.filter(({ type }) => type === 'counters') as WorkerCountersMessage[];
      assert.ok(messages.length > 2, `${messages.length} messages`);
      assert.deepEqual(
        messages.map(({ revision }) => revision),
        [...messages.slice(1).map(() => 0), 7],
      );
      for (const message of messages) assert.ok(encodeFeed(message).length < MAX_FEED_BYTES / 3);
      assert.equal(
        messages.reduce((sum, message) => sum + message.nodes.length, 0),
        4_000,
      );
      assert.equal(
        messages.reduce((sum, message) => sum + (message.failovers?.length ?? 0), 0),
        9_000,
      );
    },
    { failovers },
  );
});

void test('a question that cannot be answered is answered with an error, and the worker keeps running', () =>
  connected(async (feed, client) => {
    feed.sendSnapshot(['a']);
    await feed.until('applied');
    let asked = 0;
    for (const [target, fault] of Object.entries(FAULTS)) {
      feed.send({ type: 'ask', id: ++asked, question: { type: 'explain', host: '', target, cookie: '' } });
      const { answer } = await feed.until('answer', ({ id }) => id === asked);
      const message = fault instanceof Error ? fault.message.slice(0, 1_000) : 'unknown error';
      assert.deepEqual(answer, { type: 'failed', message });
    }
    feed.send({ type: 'ask', id: 8, question: { type: 'scoreboard' } });
    await feed.until('answer', ({ id }) => id === 8);
    assert.equal(client.isSynced, true);
  }));

void test('observations are reported, and questions are answered', () =>
  connected(async (feed, client, cluster) => {
    feed.sendSnapshot(['a']);
    await feed.until('applied');
    client.observed(cluster.node('a').id, 'ejected', 'it refuses connections');
    const { id, what, reason } = await feed.until('observed');
    assert.deepEqual([id, what, reason], ['a', 'ejected', 'it refuses connections']);
    feed.send({ type: 'ask', id: 5, question: { type: 'scoreboard' } });
    assert.equal((await feed.until('answer')).id, 5);
  }));

void test('loads are applied on arrival', () =>
  connected(async (feed, _client, cluster) => {
    feed.send(
      { type: 'hello', epoch: 'e1', feedVersion: FEED_VERSION },
      { type: 'snapshot', part: 0, parts: 1, nodes: [feedNode('a', { index: 3 })], balancers: [], remembered: [] },
      { type: 'commit', epoch: 'e1', revision: 1, isSettled: true, learningMs: 0, leaseMs: 20_000 },
      { type: 'loads', loads: [[3, 0.25, 8]] },
      { type: 'ask', id: 1, question: { type: 'scoreboard' } },
    );
    await feed.until('answer');
    assert.deepEqual([cluster.node('a').live.load, cluster.node('a').live.sessions], [0.25, 8]);
  }));

void test('without reports of sessions the worker counts its own', () =>
  connected(async (feed, _client, cluster) => {
    feed.sendSnapshot(['a']);
    await feed.until('applied');
    cluster.request(cookieOf(cluster.request().setCookie));
    await feed.until('counters', ({ nodes }) => nodes[0]?.activeSessions === 1);
    assert.deepEqual([cluster.node('a').live.sessions, cluster.node('a').live.placed], [1, 0]);
  }));

void test('a lost feed changes nothing for requests, and a restarted coordinator removes no node until it has settled', () =>
  connected(async (feed, client, cluster) => {
    feed.sendSnapshot(['a', 'b']);
    await feed.until('applied');
    const lost = once(feed.socket!, 'close');
    feed.socket!.terminate();
    await lost;
    assert.equal(cluster.ask('rc_route=x.b').node, 'b');
    const [socket] = (await once(feed.server, 'connection')) as [WebSocket];
    assert.equal(client.isSynced, false);
    feed.received.length = 0;
    await feed.until('hello');
    assert.equal(feed.socket, socket);
    feed.sendSnapshot(['a'], 'e2', false);
    await feed.until('applied');
    assert.equal(cluster.ask('rc_route=x.b').node, 'b');
    feed.send({ type: 'changes', revision: 2, changes: [goneChange('b')] });
    await feed.until('applied', ({ revision }) => revision === 2);
    assert.equal(cluster.ask('rc_route=x.b').node, 'a');
  }));

const HELLO: FeedToWorker = { type: 'hello', epoch: 'e1', feedVersion: FEED_VERSION };
const PART: FeedToWorker = { type: 'snapshot', part: 0, parts: 2, nodes: [], balancers: [], remembered: [] };
const COMMIT: FeedToWorker = {
  type: 'commit',
  epoch: 'e1',
  revision: 1,
  isSettled: true,
  learningMs: 0,
  leaseMs: 20_000,
};
const NONSENSE: readonly (readonly [string, readonly (FeedToWorker | string | Buffer)[]])[] = [
  ['text that is no JSON', ['nonsense']],
  ['a binary frame', [Buffer.from('x')]],
  ['a second hello', [HELLO, HELLO]],
  ['a snapshot before hello', [PART]],
  ['a commit without its parts', [HELLO, PART, COMMIT]],
  ['a commit without a snapshot', [HELLO, COMMIT]],
  ['a commit of another epoch', [HELLO, { ...PART, parts: 1 }, { ...COMMIT, epoch: 'e2' }]],
  ['changes before a commit', [HELLO, { type: 'changes', revision: 1, changes: [] }]],
  ['loads before a commit', [HELLO, { type: 'loads', loads: [] }]],
];

for (const [what, messages] of NONSENSE) {
  void test(`${what} makes the worker reconnect for a snapshot`, () =>
    connected(async (feed, _client, cluster, warnings) => {
      const again = once(feed.server, 'connection');
      for (const message of messages)
        feed.socket!.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : encodeFeed(message));
      await again;
      assert.match(warnings.join('\n'), /not understood/);
      assert.equal(cluster.view.isFilled, false);
      feed.received.length = 0;
      await feed.until('hello');
      feed.sendSnapshot(['a']);
      await feed.until('applied');
    }));
}

/**
 * A coordinator of another version: announces it in its hello, closes with the code for it, or does both and sends a snapshot
 * as well.
 */
const OTHER_VERSION: Readonly<Record<string, (feed: TestFeed, version: number) => void>> = {
  'by its hello': (feed, feedVersion) => feed.send({ type: 'hello', epoch: 'e2', feedVersion }),
  'by its hello, and a snapshot at once': (feed, feedVersion) => {
    feed.send({ type: 'hello', epoch: 'e2', feedVersion }, { ...PART, parts: 1 }, { ...COMMIT, epoch: 'e2' });
  },
  'by its close': (feed) => feed.socket!.close(4426, 'no version in common'),
};

for (const [how, speak] of Object.entries(OTHER_VERSION))
  for (const version of [0, 2, 99])
    void test(`a coordinator of feed version ${version}, known ${how}, is retried slowly, and the last known cluster is served`, () => {
      const delays: number[] = [];
      return connected(
        async (feed, client, cluster, warnings) => {
          feed.sendSnapshot(['a', 'b']);
          await feed.until('applied');
          for (let round = 0; round < 2; round++) {
            let again = once(feed.server, 'connection');
            feed.received.length = 0;
            // The first loss of the feed; later the slow pause is ended by the clock of the test.
            if (round === 0) feed.socket!.terminate();
            await again;
            await feed.until('hello');
            again = once(feed.socket!, 'close');
            speak(feed, version);
            await again;
            assert.deepEqual([client.isSynced, cluster.ask('rc_route=x.b').node], [false, 'b']);
          }
          assert.equal(warnings.filter((text) => text.includes('has another version')).length, 1, warnings.join('\n'));
          // Once both ends have the same version the feed resumes.
          feed.received.length = 0;
          await feed.until('hello');
          feed.sendSnapshot(['a'], 'e3');
          await feed.until('applied');
          assert.equal(delays.filter((delayMs) => delayMs >= 5_000).length, 2, String(delays));
          assert.equal(client.isSynced, true);
        },
        { delays, hurries: true },
      );
    });

void test('additions of a newer coordinator of this version are skipped', () =>
  connected(async (feed, client, _cluster, warnings) => {
    feed.sendSnapshot(['a']);
    await feed.until('applied');
    for (const text of [
      '{"type":"tidings"}',
      '{"type":"ask","id":3,"question":{"type":"weather"}}',
      '{"type":"changes","revision":2,"changes":[{"type":"rack","rack":"r1"}]}',
    ])
      feed.socket!.send(text);
    await feed.until('applied', ({ revision }) => revision === 2);
    assert.deepEqual([client.isSynced, feed.connections, warnings], [true, 1, []]);
  }));

void test('a coordinator whose messages are malformed repeatedly is retried slowly', () => {
  const delays: number[] = [];
  return connected(
    async (feed) => {
      for (let round = 0; round < 3; round++) {
        const again = once(feed.server, 'connection');
        feed.sendSnapshot(['a']);
        await feed.until('applied');
        feed.socket!.send('nonsense');
        await again;
        feed.received.length = 0;
        await feed.until('hello');
      }
      assert.equal(delays.filter((delayMs) => delayMs >= 5_000).length, 2, String(delays));
    },
    { delays, hurries: true },
  );
});

void test('the path of the feed is added to an address without a path, for any scheme', () => {
  assert.equal(feedUrl('http://127.0.0.1:8400'), `ws://127.0.0.1:8400${FEED_PATH}`);
  assert.equal(feedUrl('wss://c.example/'), `wss://c.example${FEED_PATH}`);
  assert.equal(feedUrl('https://c.example/custom'), 'wss://c.example/custom');
});

void test('sessions are sent as hashes, once, and again to a coordinator that has lost them', () =>
  connected(async (feed, _client, cluster) => {
    feed.sendSnapshot(['a']);
    await feed.until('applied');
    const cookie = cookieOf(cluster.request().setCookie);
    cluster.request(cookie);
    const { nodes } = await feed.until('sessions');
    assert.deepEqual(
      nodes.map(({ id, level, seen }) => [id, level, seen.map(([age, hashes]) => [age, hashes.length])]),
      [['a', 0, [[0, 8]]]],
    );
    feed.received.length = 0;
    const again = once(feed.server, 'connection');
    feed.socket!.terminate();
    await again;
    await feed.until('hello');
    feed.sendSnapshot(['a'], 'e2');
    const { nodes: later } = await feed.until('sessions');
    assert.deepEqual(
      later.map(({ seen }) => seen[0]?.[1]),
      nodes.map(({ seen }) => seen[0]?.[1]),
    );
  }));

/** Number of sessions in a message. */
const hashCount = ({ nodes }: WorkerSessions): number =>
  nodes.map((sample) => hashesIn(sample)).reduce((a, b) => a + b, 0);

for (const [share, delayMs, who] of [
  [1, 250, 'a single worker sends its sessions slowly'],
  [0.5, 31.25, 'one of several workers sends its sessions quickly'],
] as const)
  void test(who, () => {
    const delays: number[] = [];
    return connected(
      async (feed, _client, cluster) => {
        feed.sendSnapshot(['a']);
        feed.send({ type: 'shares', shares: [[feedBalancer().name, share]] });
        await feed.until('applied');
        for (let i = 0; i < 600; i++) cluster.request();
        await feed.until('sessions', (message) => hashCount(message) === 512);
        assert.deepEqual(
          [31.25, 250].filter((one) => delays.includes(one)),
          [delayMs],
        );
        await feed.until('sessions', (message) => hashCount(message) === 88);
      },
      { delays },
    );
  });
