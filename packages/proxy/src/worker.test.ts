import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FeedNode } from '@rollcall/feed';
import { cookieOf, feedBalancer, feedNode } from './cluster/cluster.fixture.ts';
import { TestFeed } from './feed/feed.fixture.ts';
import { startWorker, type Worker, type WorkerOptions } from './worker.ts';

const SILENT = { info: () => {}, warn: () => {}, debug: () => {} };

/** A node that answers with its name and the number of requests of the session. */
class TestNode {
  readonly name: string;
  readonly server: http.Server;
  port = 0;

  constructor(name: string) {
    this.name = name;
    this.server = http.createServer((request, response) => {
      request.resume();
      request.on('end', () => response.end(name));
    });
  }

  async open(port = 0): Promise<this> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
    return this;
  }

  get feed(): FeedNode {
    return feedNode(this.name, { port: this.port });
  }

  /** Ends like a killed process: connections reset, port closed. */
  async kill(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly setCookie: string;
}

function get(worker: Worker, cookie = '', path = '/'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = cookie === '' ? {} : { cookie };
    http
      .get({ host: '127.0.0.1', port: worker.address!.port, path, headers, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          body += text;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, setCookie: response.headers['set-cookie']?.[0] ?? '' }),
        );
        response.on('error', reject);
      })
      .on('error', reject);
  });
}

interface Scene {
  readonly feed: TestFeed;
  readonly nodes: readonly TestNode[];
  readonly folder: string;
  start(options?: Partial<WorkerOptions>): Promise<Worker>;
}

async function scene(names: readonly string[], run: (scene: Scene) => Promise<void>): Promise<void> {
  const feed = await TestFeed.open();
  const nodes = await Promise.all(names.map((name) => new TestNode(name).open()));
  const folder = await mkdtemp(join(tmpdir(), 'rollcall-worker-'));
  const workers: Worker[] = [];
  const start: Scene['start'] = async (options) => {
    const worker = await startWorker({
      name: 'local-0',
      version: '0.1.0',
      listen: { host: '127.0.0.1', port: 0 },
      feed: { url: `ws://127.0.0.1:${feed.port}`, token: 'token' },
      log: SILENT,
      ...options,
    });
    workers.push(worker);
    return worker;
  };
  try {
    await run({ feed, nodes, folder, start });
  } finally {
    for (const worker of workers) await worker.close(0);
    await feed.close();
    for (const node of nodes) if (node.server.listening) await node.kill();
    await rm(folder, { recursive: true });
  }
}

/** A worker that has applied a snapshot of all nodes. */
async function synced({ feed, nodes, start }: Scene, options?: Partial<WorkerOptions>): Promise<Worker> {
  const starting = start(options);
  await feed.until('hello');
  feed.sendSnapshot(nodes.map((node) => node.feed));
  return starting;
}

void test('a worker opens its port after the first snapshot, places sessions evenly and keeps them', () =>
  scene(['a', 'b', 'c'], async (set) => {
    const worker = await synced(set);
    assert.equal(worker.isConnected, true);
    // One request after the other, because the default algorithm depends on latencies, which vary on a busy machine.
    const balancer = feedBalancer({}, { sessionAlgorithm: 'round-robin' });
    set.feed.send({ type: 'changes', revision: 2, changes: [{ type: 'balancer', balancer }] });
    await set.feed.until('applied', ({ revision }) => revision === 2);
    const counts = new Map<string, number>();
    for (let i = 0; i < 12; i++) {
      const first = await get(worker);
      assert.equal(first.status, 200);
      counts.set(first.body, (counts.get(first.body) ?? 0) + 1);
      const again = await get(worker, cookieOf(first.setCookie));
      assert.deepEqual([again.body, again.setCookie], [first.body, '']);
    }
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => counts.get(id)),
      [4, 4, 4],
    );
  }));

void test('a killed node fails no request: its sessions move within a second, and stay on the new node when it returns', () =>
  scene(['a', 'b'], async (set) => {
    const worker = await synced(set);
    const [a] = set.nodes as [TestNode, TestNode];
    const cookie = 'rc_route=x.a';
    assert.equal((await get(worker, cookie)).body, 'a');
    await a.kill();
    set.feed.send({
      type: 'changes',
      revision: 2,
      changes: [{ type: 'node', node: { ...a.feed, liveness: 'suspect', isConnected: false } }],
    });
    const startedMs = performance.now();
    const moved = await get(worker, cookie);
    assert.deepEqual([moved.status, moved.body], [200, 'b']);
    assert.match(moved.setCookie, /\.b; Path/);
    assert.ok(performance.now() - startedMs < 1_000);
    const { ports } = await set.feed.until('ports', (message) => message.ports.some(([, port]) => port === 'refused'));
    assert.deepEqual(ports, [['a', 'refused']]);
    const back = await new TestNode('a').open(a.port);
    try {
      const changes = [{ type: 'node' as const, node: { ...a.feed, incarnation: 2 } }];
      set.feed.send({ type: 'changes', revision: 3, changes });
      await set.feed.until('applied', ({ revision }) => revision === 3);
      assert.equal((await get(worker, cookie)).body, 'b');
      const counters = await set.feed.until('counters', ({ failovers }) => failovers !== undefined);
      assert.deepEqual(counters.failovers, [{ balancer: 'shop', node: 'a', cause: 'refused', count: 1 }]);
    } finally {
      await back.kill();
    }
  }));

void test('a suspect node that is dead is detected by a probe before any request', () =>
  scene(['a', 'b'], async (set) => {
    const worker = await synced(set);
    const [a] = set.nodes as [TestNode, TestNode];
    const { feed } = a;
    await a.kill();
    set.feed.send({
      type: 'changes',
      revision: 2,
      changes: [{ type: 'node', node: { ...feed, liveness: 'suspect', isConnected: false } }],
    });
    await set.feed.until('ports', ({ ports }) => ports.some(([id, port]) => id === 'a' && port === 'refused'));
    assert.equal((await get(worker, 'rc_route=x.a')).body, 'b');
  }));

void test('a suspect node that lives keeps its sessions, and the worker reports that it answers', () =>
  scene(['a', 'b'], async (set) => {
    const worker = await synced(set);
    const [a] = set.nodes as [TestNode, TestNode];
    set.feed.send({
      type: 'changes',
      revision: 2,
      changes: [{ type: 'node', node: { ...a.feed, liveness: 'suspect' } }],
    });
    assert.equal((await get(worker, 'rc_route=x.a')).body, 'a');
    assert.equal((await get(worker)).body, 'b');
    await set.feed.until('ports', ({ ports }) => ports.some(([id, port]) => id === 'a' && port === 'answers'));
  }));

void test('a request to a frozen node waits until the node resumes', () =>
  scene(['a', 'b'], async (set) => {
    const worker = await synced(set);
    const [a] = set.nodes as [TestNode, TestNode];
    const held: (() => void)[] = [];
    a.server.removeAllListeners('request');
    let isFrozen = true;
    a.server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
      request.resume();
      const answer = (): void => void response.end('a');
      if (isFrozen) held.push(answer);
      else answer();
    });
    set.feed.send({
      type: 'changes',
      revision: 2,
      changes: [{ type: 'node', node: { ...a.feed, liveness: 'suspect', silentMs: 3_000 } }],
    });
    const waiting = get(worker, 'rc_route=x.a');
    await set.feed.until('ports', ({ ports }) => ports.some(([id, port]) => id === 'a' && port === 'unresponsive'));
    const { totals } = await set.feed.until('counters', (message) => message.totals.parked === 1);
    assert.ok(totals.oldestParkedMs >= 0);
    isFrozen = false;
    for (const answer of held) answer();
    assert.deepEqual([(await waiting).status, (await waiting).body], [200, 'a']);
  }));

void test('a restarted worker serves from a fresh snapshot file without the feed', () =>
  scene(['a', 'b'], async (set) => {
    const snapshotFile = join(set.folder, 'local-0.json');
    const first = await synced(set, { snapshotFile });
    await first.close(0);
    const second = await set.start({ snapshotFile, feed: { url: 'ws://127.0.0.1:1', token: 'token' } });
    assert.equal(second.isConnected, false);
    assert.equal((await get(second, 'rc_route=x.b')).body, 'b');
  }));

void test('only the routes of an old snapshot file are used: their sessions wait for the node, others get 503', () =>
  scene(['a'], async (set) => {
    const snapshotFile = join(set.folder, 'local-0.json');
    const first = await synced(set, { snapshotFile });
    await first.close(0);
    const saved: unknown = JSON.parse(await readFile(snapshotFile, 'utf8'));
    await writeFile(snapshotFile, JSON.stringify({ ...(saved as object), writtenAtUnixMs: 1 }));
    set.feed.received.length = 0;
    const starting = set.start({ snapshotFile });
    await set.feed.until('hello');
    set.feed.sendSnapshot([], 'e2', false, 10_000);
    const worker = await starting;
    const session = get(worker, 'rc_route=x.a');
    await set.feed.until('applied');
    set.feed.send({ type: 'changes', revision: 2, changes: [{ type: 'node', node: set.nodes[0]!.feed }] });
    assert.deepEqual([(await session).status, (await session).body], [200, 'a']);
  }));

void test('without feed and file a worker opens its port nevertheless and answers 503', () =>
  scene([], async (set) => {
    const worker = await set.start({ feed: { url: 'ws://127.0.0.1:1', token: 'token' } });
    assert.equal((await get(worker)).status, 503);
  }));

void test('a port in use is reported with the error of the system, and nothing is left running', () =>
  scene([], async (set) => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    await assert.rejects(
      set.start({ listen: { host: '127.0.0.1', port }, feed: { url: 'ws://127.0.0.1:1', token: 't' } }),
      { code: 'EADDRINUSE' },
    );
    holder.close();
    await once(holder, 'close');
  }));

void test('explain and the scoreboard are answered over the feed', () =>
  scene(['a'], async (set) => {
    await synced(set);
    set.feed.send({
      type: 'ask',
      id: 1,
      question: { type: 'explain', host: 'h', target: '/', cookie: 'rc_route=x.a' },
    });
    const { answer } = await set.feed.until('answer', ({ id }) => id === 1);
    assert.ok(answer.type === 'explain' && answer.chosen === 'a');
    set.feed.send({ type: 'ask', id: 2, question: { type: 'scoreboard' } });
    assert.equal((await set.feed.until('answer', ({ id }) => id === 2)).answer.type, 'scoreboard');
  }));

void test('past decisions are answered over the feed by request id', () =>
  scene(['a'], async (set) => {
    const worker = await synced(set);
    await get(worker, 'JSESSIONID=topsecret.a', '/?token=topsecret');
    set.feed.send({ type: 'ask', id: 9, question: { type: 'past-decisions', limit: 5 } });
    const { answer: all } = await set.feed.until('answer', ({ id }) => id === 9);
    assert.ok(all.type === 'past-decisions' && all.decisions.length === 1);
    const { requestId } = all.decisions[0]!;
    set.feed.send({ type: 'ask', id: 1, question: { type: 'past-decisions', requestId, limit: 1 } });
    const { answer } = await set.feed.until('answer', ({ id }) => id === 1);
    assert.ok(answer.type === 'past-decisions' && answer.kept === 1 && answer.worker !== '');
    const [{ chosen, sessionFrom, status, attempts }] = answer.decisions as [(typeof answer.decisions)[0]];
    assert.deepEqual([chosen, sessionFrom, status, attempts[0]?.outcome], ['a', 'cookie JSESSIONID', 200, 'answered']);
    assert.ok(!JSON.stringify(answer).includes('secret'));
  }));

void test('counters report requests, new sessions and bytes of each node', () =>
  scene(['a'], async (set) => {
    const worker = await synced(set);
    for (let i = 0; i < 3; i++) await get(worker);
    const { nodes, totals } = await set.feed.until(
      'counters',
      (message) => message.nodes[0]?.requests === 3 && message.nodes[0].inFlight === 0,
    );
    const [node] = nodes;
    assert.deepEqual([node?.newSessions, node?.activeSessions, node?.sessionsSeenOnce, node?.failures], [3, 0, 3, 0]);
    assert.ok(node!.bytesToNode > 0 && node!.bytesFromNode > 0 && node!.latencyMs > 0);
    assert.ok(totals.requests >= 3 && totals.loopDelayMs >= 0);
  }));
