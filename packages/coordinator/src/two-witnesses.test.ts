import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { Event } from '@rollcall/core';
import { FEED_PATH, FEED_SUBPROTOCOL } from '@rollcall/feed';
import type { StatusResource } from '@rollcall/protocol';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import type { CoordinatorOptions } from './config.ts';
import { startTestCoordinator, TEST_FEED_TOKEN, type TestCoordinator } from './testing/test-coordinator.ts';
import { startTestNode } from './testing/test-node.ts';
import { TestSocket } from './testing/test-socket.ts';

const closers: (() => Promise<void> | void)[] = [];
const INSTANCE = 'a'.repeat(32);

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function coordinator(options: Partial<CoordinatorOptions> = {}): Promise<TestCoordinator> {
  const started = await startTestCoordinator(options);
  closers.push(() => started.close());
  return started;
}

async function worker({ coordinator: { agentsUrl } }: TestCoordinator, name: string): Promise<TestSocket> {
  const headers = { authorization: `Bearer ${TEST_FEED_TOKEN}` };
  const socket = await TestSocket.open(`${agentsUrl}${FEED_PATH}`, FEED_SUBPROTOCOL, { headers });
  closers.push(() => socket.terminate());
  socket.send({ type: 'hello', worker: name, pid: 1, version: '1' });
  await socket.next('commit');
  return socket;
}

async function agent({ coordinator: { agentsUrl } }: TestCoordinator, id: string, url: string): Promise<TestSocket> {
  const socket = await TestSocket.open(`${agentsUrl}${AGENT_PATH}`, AGENT_SUBPROTOCOL);
  closers.push(() => socket.terminate());
  socket.send({ type: 'register', node: { id, balancer: 'shop', url, instance: INSTANCE, incarnation: 1 } });
  await socket.next('registered');
  return socket;
}

async function node(): Promise<string> {
  const started = await startTestNode();
  closers.push(() => started.close());
  return started.url;
}

/** The next change of the node in the feed of a worker for which `isIt` holds. */
async function inFeed(feed: TestSocket, id: string, isIt: (about: Record<string, unknown>) => boolean): Promise<void> {
  for (;;) {
    const changes = (await feed.next('changes'))['changes'] as { type: string; id?: string; node?: { id: string } }[];
    for (const change of changes) {
      const about = change.type === 'node' ? change.node : change;
      if (about?.id === id && isIt({ type: change.type, ...about })) return;
    }
  }
}

const isUp = (about: Record<string, unknown>): boolean => about['liveness'] === 'up';
const isSuspect = (about: Record<string, unknown>): boolean => about['liveness'] === 'suspect';
const isRefused = (about: Record<string, unknown>): boolean =>
  about['type'] === 'gone' && about['cause'] === ('refused' satisfies Extract<Event, { type: 'gone' }>['cause']);

test('a crash: the port refuses and the connection closes. The node is gone at once, and returns by registration', async () => {
  const started = await coordinator();
  const url = await node();
  const feed = await worker(started, 'w1');
  const socket = await agent(started, 'n1', url);
  await inFeed(feed, 'n1', isUp);
  feed.send({ type: 'ports', ports: [['n1', 'refused']] });
  socket.terminate();
  await inFeed(feed, 'n1', isRefused);
  await agent(started, 'n1', url);
  await inFeed(feed, 'n1', isUp);
});

test('no heartbeats and a port that refuses: gone, and the open connection of the agent is destroyed, so that it registers again', async () => {
  const started = await coordinator({ heartbeatMs: 20, suspectMs: 40, leaseMs: 60_000 });
  const url = await node();
  const feed = await worker(started, 'w1');
  const silent = await agent(started, 'n1', url);
  await inFeed(feed, 'n1', isSuspect);
  feed.send({ type: 'ports', ports: [['n1', 'refused']] });
  await inFeed(feed, 'n1', isRefused);
  await silent.closed;
  await agent(started, 'n1', url);
  await inFeed(feed, 'n1', isUp);
});

test('the status reports ports, and contexts that no node serves', async () => {
  const started = await coordinator();
  const status = async (): Promise<StatusResource> => (await started.api('/v1/status')).json<StatusResource>();
  const url = await node();
  const feed = await worker(started, 'w1');
  const other = await worker(started, 'w2');
  const socket = await agent(started, 'n1', url);
  await inFeed(feed, 'n1', isUp);
  assert.deepEqual((await status()).unserved, []);
  other.send({ type: 'ports', ports: [['n1', 'refused']] });
  feed.send({ type: 'ports', ports: [['n1', 'answers']] });
  await until(async () => (await status()).advice.some((line) => /n1 sends heartbeats, but worker w2/.test(line)));

  socket.terminate();
  await inFeed(feed, 'n1', isSuspect);
  const { advice, nodes, unserved } = await status();
  assert.match(advice.join('\n'), /n1: its connection closed, .*; it still answers worker w1 and keeps its sessions\./);
  assert.deepEqual([nodes.up, nodes.suspect, unserved], [0, 1, []]);

  feed.send({ type: 'ports', ports: [['n1', 'refused']] });
  await inFeed(feed, 'n1', isRefused);
  const after = await status();
  assert.deepEqual(
    after.unserved.map(({ balancer, host, path, cause }) => [balancer, host, path, cause]),
    [['shop', '*', '/', 'crashed']],
  );
  assert.match(after.advice[0] ?? '', /^No node serves \/ on \*: .*To do: start the programs again/);
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await isSo()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail('the condition did not become true');
}
