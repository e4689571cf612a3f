import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { contextsOf, decodeFeedToWorker, FEED_PATH, FEED_SUBPROTOCOL } from '@rollcall/feed';
import type { EventResource, NodeRegistration, NodeResource, StatusResource, WriteResult } from '@rollcall/protocol';
import { AGENT_PATH, AGENT_SUBPROTOCOL, MAX_CONTEXTS, MAX_PLACES_LENGTH, placesLength } from '@rollcall/protocol';
import { openStore } from '../stores/open-store.ts';
import { closeServer, listenOn } from '../testing/tcp.ts';
import { startTestCoordinator, TEST_FEED_TOKEN, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode, type TestNode } from '../testing/test-node.ts';
import { TestSocket } from '../testing/test-socket.ts';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function coordinator(options: Parameters<typeof startTestCoordinator>[0] = {}): Promise<TestCoordinator> {
  const started = await startTestCoordinator(options);
  closers.push(() => started.close());
  return started;
}

async function node(): Promise<TestNode> {
  const started = await startTestNode();
  closers.push(() => started.close());
  return started;
}

async function agent({ coordinator: { agentsUrl } }: TestCoordinator, token?: string): Promise<TestSocket> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const socket = await TestSocket.open(`${agentsUrl}${AGENT_PATH}`, AGENT_SUBPROTOCOL, { headers });
  closers.push(() => socket.terminate());
  return socket;
}

function registration(id: string, url: string, more: object = {}): object {
  return { type: 'register', node: { id, balancer: 'shop', url, ...more } };
}

/** Resolves when an event of this type about this node is in the log. */
async function event(started: TestCoordinator, type: string, id?: string): Promise<EventResource> {
  const response = await fetch(`${started.coordinator.url}/v1/events`, {
    headers: { accept: 'text/event-stream', authorization: `Bearer ${started.adminToken}` },
  });
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1];
      text = text.slice(end + 2);
      if (data === undefined) continue;
      const found = JSON.parse(data) as EventResource;
      if (found.type === type && (id === undefined || found.node === id)) return found;
    }
  }
  throw new Error(`the stream ended without ${type}`);
}

async function nodeOf(started: TestCoordinator, id: string): Promise<NodeResource> {
  return (await started.api(`/v1/nodes/${id}`)).json<NodeResource>();
}

describe('a valid agent', () => {
  test('registers with three fields, is probed, and is up', async () => {
    const started = await coordinator();
    const { url } = await node();
    const socket = await agent(started);
    socket.send(registration('n1', url));
    const registered = await socket.next('registered');
    assert.deepEqual(
      { ...(registered['node'] as object), incarnation: 0, instance: '' },
      {
        id: 'n1',
        balancer: 'shop',
        url,
        route: 'n1',
        contexts: [{ path: '/' }],
        hosts: ['*'],
        weight: 1,
        incarnation: 0,
        instance: '',
        loadHeader: false,
        meta: {},
      },
    );
    assert.equal(registered['heartbeatMs'], 1_000);
    assert.equal(registered['leaseMs'], 20_000);
    await event(started, 'up', 'n1');
    assert.equal((await nodeOf(started, 'n1')).liveness, 'up');
  });

  test('registers with as many contexts as may be, which workers get, and which survive a restart', async (t) => {
    const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-contexts-'));
    t.after(() => rm(stateDir, { recursive: true, force: true }));
    const start = async (): Promise<TestCoordinator> =>
      coordinator({ stateDir, store: (await openStore(`file:${join(stateDir, 'cluster.json')}`, assert.fail))! });
    const contexts = Array.from({ length: MAX_CONTEXTS }, (_, i) => ({
      path: `/${i}`,
      hosts: [`${i}.a.example`.padEnd(22, 'e'), `${i}.b.example`.padEnd(18, 'e')],
    }));
    const first = await start();
    const { url } = await node();
    const socket = await agent(first);
    socket.send(registration('n1', url, { contexts }));
    const registered = (await socket.next('registered'))['node'] as NodeRegistration;
    assert.deepEqual(registered.contexts, contexts);
    assert.ok(placesLength(registered) > MAX_PLACES_LENGTH - 128, `${placesLength(registered)}`);
    await event(first, 'up', 'n1');

    const headers = { authorization: `Bearer ${TEST_FEED_TOKEN}` };
    const worker = await TestSocket.open(`${first.coordinator.agentsUrl}${FEED_PATH}`, FEED_SUBPROTOCOL, { headers });
    worker.send({ type: 'hello', worker: 'w0', pid: 1, version: '1' });
    const part = decodeFeedToWorker(JSON.stringify(await worker.next('snapshot')));
    const [inFeed] = part.type === 'snapshot' ? part.nodes : [];
    assert.deepEqual(
      contextsOf(inFeed!),
      contexts.map((context) => ({ ...context, status: 'enabled' })),
    );
    worker.terminate();
    socket.terminate();
    await first.coordinator.close();

    const { contexts: restored, liveness } = await nodeOf(await start(), 'n1');
    assert.deepEqual([restored, liveness], [contexts.map((context) => ({ ...context, status: 'enabled' })), 'suspect']);
  });

  test('reports its load and its requested status', async () => {
    const started = await coordinator();
    const { url } = await node();
    const socket = await agent(started);
    socket.send(registration('n1', url));
    await socket.next('registered');
    socket.send({ type: 'heartbeat', seq: 1, load: 0.37, sessions: 14, inFlight: 3 });
    socket.send({ type: 'status', status: 'draining', reason: 'deploy' });
    await event(started, 'status', 'n1');
    const resource = await nodeOf(started, 'n1');
    assert.equal(resource.load, 0.37);
    assert.equal(resource.sessions, 14);
    assert.equal(resource.reported.status, 'draining');
    assert.equal(resource.wanted.status, 'enabled');
  });

  test('receives the status that the operator sets, at once and after a reconnect', async () => {
    const started = await coordinator();
    const { url } = await node();
    const instance = 'a'.repeat(32);
    const socket = await agent(started);
    socket.send(registration('n1', url, { instance }));
    await socket.next('registered');
    await started.api('/v1/nodes/n1/drain', {
      method: 'POST',
      body: { reason: 'deploy', deadlineMs: 60_000, force: true },
    });
    const notice = await socket.next('status');
    assert.deepEqual(notice, { type: 'status', status: 'draining', reason: 'deploy', deadlineMs: 60_000 });
    socket.terminate();
    const again = await agent(started);
    again.send(registration('n1', url, { instance }));
    await again.next('registered');
    assert.equal((await again.next('status'))['status'], 'draining');
  });

  test('receives drained when no worker has a request in flight', async () => {
    const started = await coordinator({ settleMs: 1 });
    const { url } = await node();
    const socket = await agent(started);
    socket.send(registration('n1', url));
    await event(started, 'up', 'n1');
    await event(started, 'settled');
    socket.send({ type: 'status', status: 'stopped', deadlineMs: 8_000 });
    assert.deepEqual(await socket.next('drained'), { type: 'drained' });
  });

  test('is gone at once when it leaves', async () => {
    const started = await coordinator();
    const { url } = await node();
    const socket = await agent(started);
    socket.send(registration('n1', url));
    await event(started, 'up', 'n1');
    socket.send({ type: 'leave' });
    assert.equal((await socket.closed).code, 1000);
    const { liveness, livenessReason } = await nodeOf(started, 'n1');
    assert.equal(liveness, 'gone');
    assert.match(livenessReason ?? '', /left/);
  });

  test('is suspect when its connection breaks, and up again when the same process reconnects', async () => {
    const started = await coordinator();
    const { url } = await node();
    const instance = 'b'.repeat(32);
    const socket = await agent(started);
    socket.send(registration('n1', url, { instance }));
    await event(started, 'up', 'n1');
    socket.terminate();
    await event(started, 'suspect', 'n1');
    const again = await agent(started);
    again.send(registration('n1', url, { instance }));
    await again.next('registered');
    assert.equal((await nodeOf(started, 'n1')).liveness, 'up');
  });

  test('reconnects after 1012 at shutdown of the coordinator, and no node becomes suspect', async () => {
    const started = await startTestCoordinator();
    const { url } = await node();
    const socket = await agent(started);
    socket.send(registration('n1', url));
    await event(started, 'up', 'n1');
    await started.close();
    assert.equal((await socket.closed).code, 1012);
    assert.equal(started.coordinator.registry.counts().up, 1);
  });
});

describe('an address', () => {
  test('where no program listens is reported with advice, and the connection stays', async () => {
    const started = await coordinator();
    const dead = await startTestNode();
    await dead.close();
    const socket = await agent(started);
    socket.send(registration('n1', dead.url));
    await socket.next('registered');
    const error = await socket.next('error');
    assert.equal(error['code'], 'unreachable');
    assert.match(String(error['message']), /it keeps trying\. Does the program listen on another port\?$/);
    assert.equal((await nodeOf(started, 'n1')).liveness, 'joining');
    const late = await startTestNode(dead.port);
    closers.push(() => late.close());
    await event(started, 'up', 'n1');
    assert.equal((await nodeOf(started, 'n1')).liveness, 'up');
  });

  test('that is not the peer’s own is refused, and the connection closed', async () => {
    const started = await coordinator();
    const socket = await agent(started);
    socket.send(registration('n1', 'http://169.254.169.254:80'));
    const error = await socket.next('error');
    assert.equal(error['code'], 'bad-address');
    assert.match(String(error['message']), /link-local/);
    assert.equal((await socket.closed).code, 4400);
  });

  test('that another program answers is refused to a node that proves its instance', async () => {
    const started = await coordinator();
    const other = createServer((_, reply) => reply.end('I am another program'));
    const url = `http://127.0.0.1:${await listenOn(other, 0)}`;
    closers.push(() => closeServer(other));
    const socket = await agent(started);
    socket.send(registration('n1', url, { instance: 'a'.repeat(32), proves: true }));
    await socket.next('registered');
    const error = await socket.next('error');
    assert.equal(error['code'], 'wrong-program');
    assert.match(String(error['message']), new RegExp(`^${url} is answered by another program`));
    assert.equal((await socket.closed).code, 4409);
    assert.match((await event(started, 'gone', 'n1')).message, /another node or program has its address/);
    const right = await agent(started);
    right.send(registration('n2', url));
    await event(started, 'up', 'n2');
  });

  test('is not asked for a proof without an instance', async () => {
    const started = await coordinator();
    const { url } = await node();
    const socket = await agent(started);
    socket.send(registration('n1', url, { proves: true }));
    await event(started, 'up', 'n1');
  });

  test('of the coordinator itself is refused', async () => {
    const started = await coordinator();
    const socket = await agent(started);
    socket.send(registration('n1', started.coordinator.url));
    assert.equal((await socket.next('error'))['code'], 'bad-address');
  });
});

describe('a connection without authorization', () => {
  test('with Origin is refused with 403', async () => {
    const { coordinator: started } = await coordinator();
    const url = `${started.agentsUrl}${AGENT_PATH}`;
    assert.equal(await TestSocket.refusal(url, [AGENT_SUBPROTOCOL], { origin: 'http://evil.example' }), 403);
  });

  test('without a version in common gets 426', async () => {
    const { coordinator: started } = await coordinator();
    assert.equal(await TestSocket.refusal(`${started.agentsUrl}${AGENT_PATH}`, ['rollcall.v999']), 426);
  });

  test('with an unknown token gets 401, with one of another role 403', async () => {
    const started = await coordinator({ joinToken: 'secret-of-the-test' });
    const url = `${started.coordinator.agentsUrl}${AGENT_PATH}`;
    const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    assert.equal(await TestSocket.refusal(url, [AGENT_SUBPROTOCOL], bearer('wrong')), 401);
    assert.equal(await TestSocket.refusal(url, [AGENT_SUBPROTOCOL]), 401);
    assert.equal(await TestSocket.refusal(url, [AGENT_SUBPROTOCOL], bearer(TEST_FEED_TOKEN)), 403);
    assert.equal(await TestSocket.refusal(url, [AGENT_SUBPROTOCOL], bearer(started.adminToken)), 403);
    await agent(started, 'secret-of-the-test');
  });

  test('at another path gets 404', async () => {
    const { coordinator: started } = await coordinator();
    assert.equal(await TestSocket.refusal(`${started.agentsUrl}/v1/agent/`, [AGENT_SUBPROTOCOL]), 404);
  });

  test('that guesses tokens gets 429 after twenty attempts', async () => {
    const started = await coordinator({ joinToken: 'secret-of-the-test' });
    const url = `${started.coordinator.agentsUrl}${AGENT_PATH}`;
    const codes = new Set<number>();
    for (let i = 0; i < 30; i++) {
      const options = { headers: { authorization: `Bearer guess-${i}` } };
      codes.add(await TestSocket.refusal(url, [AGENT_SUBPROTOCOL], options));
    }
    assert.deepEqual([...codes], [401, 429]);
    assert.equal((await started.api('/v1/nodes')).status, 200);
  });
});

describe('bad input', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['malformed JSON', '{', 'bad-message'],
    ['an array', '[]', 'bad-message'],
    ['an unknown type', '{"type":"hug"}', 'unknown-message'],
    ['no type', '{}', 'missing-field'],
    ['a heartbeat before register', '{"type":"heartbeat"}', 'not-registered'],
    [
      'an illegal name',
      '{"type":"register","node":{"id":"a.b","balancer":"x","url":"http://127.0.0.1:1"}}',
      'bad-name',
    ],
    ['a key __proto__', '{"type":"heartbeat","__proto__":{"polluted":true}}', 'bad-field'],
    [
      'an address with odd spelling',
      '{"type":"register","node":{"id":"a","balancer":"x","url":"http://2130706433:80"}}',
      'bad-address',
    ],
  ];
  for (const [what, frame, code] of cases)
    test(`${what} gets ${code} and the connection stays`, async () => {
      const started = await coordinator();
      const socket = await agent(started);
      socket.send(frame);
      assert.equal((await socket.next('error'))['code'], code);
      const { url } = await node();
      socket.send(registration('n1', url));
      await socket.next('registered');
      assert.equal(({} as { polluted?: boolean }).polluted, undefined);
    });

  test('a load that is not finite or negative keeps the last good one', async () => {
    const started = await coordinator();
    const { url } = await node();
    const socket = await agent(started);
    socket.send(registration('n1', url));
    await socket.next('registered');
    socket.send({ type: 'heartbeat', load: 0.5 });
    socket.send('{"type":"heartbeat","load":1e999}');
    socket.send({ type: 'heartbeat', load: -1 });
    assert.equal((await socket.next('error'))['code'], 'bad-field');
    assert.equal((await socket.next('error'))['code'], 'bad-field');
    assert.equal((await nodeOf(started, 'n1')).load, 0.5);
  });

  test('the third within a minute closes with 4400', async () => {
    const started = await coordinator();
    const socket = await agent(started);
    for (let i = 0; i < 3; i++) socket.send('{');
    const { code } = await socket.closed;
    assert.equal(code, 4400);
  });

  const frames: readonly (readonly [string, (socket: TestSocket) => void, number])[] = [
    ['a frame of 10 MiB', (socket) => socket.send('x'.repeat(10 * 1024 * 1024)), 1009],
    ['a binary frame', (socket) => socket.socket.send(Buffer.from('{}'), { binary: true }), 1003],
    ['bad UTF-8', (socket) => socket.socket.send(Buffer.from([0xff, 0xfe]), { binary: false }), 1007],
    ['a message in thousands of fragments', sendFragments, 1008],
  ];
  for (const [what, send, code] of frames)
    test(`${what} closes with ${code} and affects no other connection`, async () => {
      const started = await coordinator();
      const { url } = await node();
      const other = await agent(started);
      other.send(registration('other', url));
      await event(started, 'up', 'other');
      const socket = await agent(started);
      send(socket);
      assert.equal((await socket.closed).code, code);
      other.send({ type: 'heartbeat', load: 0.25 });
      other.send({ type: 'status', status: 'draining' });
      await event(started, 'status', 'other');
      assert.equal((await nodeOf(started, 'other')).load, 0.25);
    });

  test('a flood is dropped with too-fast, and the connection is closed', async () => {
    const started = await coordinator();
    const { url } = await node();
    const socket = await agent(started);
    socket.send(registration('n1', url));
    await socket.next('registered');
    for (let i = 0; i < 2_000; i++) socket.send('{"type":"heartbeat"}');
    assert.equal((await socket.next('error'))['code'], 'too-fast');
    assert.equal((await socket.closed).code, 1008);
  });
});

describe('quotas', () => {
  test('connections without a token from one address are bounded; a closed one frees its place', async () => {
    const started = await coordinator({ quotas: { 'tokenless-connections': 1 } });
    const url = `${started.coordinator.agentsUrl}${AGENT_PATH}`;
    const first = await agent(started);
    const { status, body } = await TestSocket.refusalText(url, [AGENT_SUBPROTOCOL]);
    assert.equal(status, 429);
    assert.match(
      body,
      /this address has 1 of 1 agent connections without a token \(`up --quota tokenless-connections=N`\)\./,
    );
    const use = async () =>
      (await started.api('/v1/status'))
        .json<StatusResource>()
        .quotas.find(({ name }) => name.startsWith('tokenless-c'));
    assert.deepEqual(await use(), { name: 'tokenless-connections', limit: 1, used: 1, by: 'loopback' });
    await first.close();
    while ((await use())?.used !== 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await agent(started);
    second.send(registration('n1', (await node()).url));
    await second.next('registered');
  });

  test('a node that registers too often is delayed, not refused, and its heartbeats count', async () => {
    const started = await coordinator({ quotas: { registrations: 9 } });
    const { url } = await node();
    const socket = await agent(started);
    for (let i = 0; i < 18; i++) socket.send(registration('n1', url));
    for (let i = 0; i < 18; i++) await socket.next('registered');
    const before = performance.now();
    socket.send(registration('n1', url, { weight: 2 }));
    socket.send({ type: 'heartbeat', seq: 1, load: 0.5 });
    while ((await nodeOf(started, 'n1')).load !== 0.5) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await nodeOf(started, 'n1')).weight, 1);
    await socket.next('registered');
    assert.ok(performance.now() - before > 1_000);
    assert.equal((await nodeOf(started, 'n1')).weight, 2);
  });
});

describe('two processes', () => {
  test('with one id: the later start wins, the earlier gets an error and is closed with 4409', async () => {
    const started = await coordinator();
    const { url } = await node();
    const first = await agent(started);
    first.send(registration('n1', url, { instance: 'a'.repeat(32), incarnation: 1 }));
    await first.next('registered');
    const second = await agent(started);
    second.send(registration('n1', url, { instance: 'b'.repeat(32), incarnation: 2 }));
    await second.next('registered');
    assert.equal((await first.next('error'))['code'], 'superseded');
    assert.equal((await first.closed).code, 4409);
    const third = await agent(started);
    third.send(registration('n1', url, { instance: 'c'.repeat(32), incarnation: 2 }));
    assert.equal((await third.next('error'))['code'], 'id-taken');
    assert.equal((await third.closed).code, 4409);
    second.send({ type: 'heartbeat', load: 0.1 });
    second.send({ type: 'status', status: 'draining' });
    await second.close();
  });

  test('with one id: the refusal names the holder and reports that it is connected', async () => {
    const started = await coordinator();
    const { url } = await node();
    const first = await agent(started);
    const process = { host: 'web1', pid: 812 };
    first.send(registration('n1', url, { instance: 'a'.repeat(32), incarnation: 2, process }));
    await event(started, 'up', 'n1');
    assert.deepEqual((await nodeOf(started, 'n1')).process, process);
    const second = await agent(started);
    second.send(registration('n1', url, { instance: 'b'.repeat(32), incarnation: 1 }));
    const error = await second.next('error');
    assert.deepEqual([error['code'], error['holderConnected']], ['superseded', true]);
    const message = String(error['message']);
    assert.ok(message.includes(`node n1 at ${url} (process 812 on web1, registered `), message);
    assert.match(message, /own \(`--id`, SDK option `id`\) or in another directory, or stop the other process$/);
    assert.equal((await second.closed).code, 4409);
    // The holder ends without a message: its start time does not exclude an older process.
    first.terminate();
    await event(started, 'suspect', 'n1');
    const third = await agent(started);
    third.send(registration('n1', url, { instance: 'b'.repeat(32), incarnation: 1 }));
    await third.next('registered');
  });

  for (const days of [-1, 1])
    test(`C29: a clock that is ${days} day off neither ends a node nor excludes its next process`, async () => {
      const started = await coordinator();
      const { url } = await node();
      const startedAt = Date.now() + days * 86_400_000;
      const first = await agent(started);
      first.send(registration('n1', url, { instance: 'a'.repeat(32), incarnation: startedAt }));
      await first.next('registered');
      await event(started, 'up', 'n1');
      for (let seq = 1; seq <= 3; seq++) first.send({ type: 'heartbeat', seq, load: seq / 10 });
      first.terminate();
      await event(started, 'suspect', 'n1');
      assert.equal((await nodeOf(started, 'n1')).load, 0.3);
      // The clock has been corrected by the time its next process starts.
      const second = await agent(started);
      second.send(registration('n1', url, { instance: 'b'.repeat(32), incarnation: Date.now() }));
      await second.next('registered');
      assert.equal((await nodeOf(started, 'n1')).liveness === 'gone', false);
    });

  test('at one address: the second is refused while the first sends heartbeats, and takes its place afterwards', async () => {
    const started = await coordinator();
    const { url } = await node();
    const first = await agent(started);
    first.send(registration('n1', url));
    await event(started, 'up', 'n1');
    const member = await started.api('/v1/nodes/m1', { method: 'PUT', body: { balancer: 'shop', url } });
    assert.match(member.json<WriteResult>().note ?? '', /^n1 registers this address itself/);
    const second = await agent(started);
    second.send(registration('n2', url));
    const error = await second.next('error');
    assert.deepEqual([error['code'], error['holderConnected']], ['address-taken', true]);
    assert.match(String(error['message']), /^the address belongs to node n1 at /);
    assert.equal((await second.closed).code, 4409);
    first.terminate();
    await event(started, 'suspect', 'n1');
    const third = await agent(started);
    third.send(registration('n2', url));
    await third.next('registered');
    assert.match((await event(started, 'gone', 'n1')).message, /another node or program has its address/);
    assert.equal((await nodeOf(started, 'n2')).liveness, 'up');
  });

  test('a half-open connection gets address-taken when another node has been reached at its address', async () => {
    const started = await coordinator({ heartbeatMs: 20, suspectMs: 40, leaseMs: 60_000 });
    const { url } = await node();
    const first = await agent(started);
    first.send(registration('n1', url));
    await event(started, 'suspect', 'n1');
    const second = await agent(started);
    second.send(registration('n2', url));
    await second.next('registered');
    assert.equal((await first.next('error'))['code'], 'address-taken');
    assert.equal((await first.closed).code, 4409);
  });

  test('a node that returns three times is flapping in events, status and its resource', async () => {
    const started = await coordinator();
    const { url } = await node();
    for (let i = 1; i <= 4; i++) {
      const socket = await agent(started);
      socket.send(registration('n1', url, { instance: `${i}`.repeat(32), incarnation: i }));
      await socket.next('registered');
      while ((await nodeOf(started, 'n1')).liveness !== 'up') await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(
      (await event(started, 'flapping', 'n1')).message,
      /^node n1 is flapping: 3 returns within ten minutes/,
    );
    assert.equal((await nodeOf(started, 'n1')).flapping?.count, 3);
    const { advice } = (await started.api('/v1/status')).json<StatusResource>();
    assert.ok(advice.some((line) => line.startsWith('Flapping: n1 (3 returns).')));
  });

  test('with one route: the second is refused and the holder is named', async () => {
    const started = await coordinator();
    const { url } = await node();
    const first = await agent(started);
    first.send(registration('n1', url, { route: 'r' }));
    await first.next('registered');
    const second = await agent(started);
    second.send(registration('n2', url, { route: 'r' }));
    const error = await second.next('error');
    assert.equal(error['code'], 'route-taken');
    assert.match(String(error['message']), /n1/);
    assert.equal((await second.closed).code, 4409);
  });

  test('of two balancers cannot serve one context', async () => {
    const started = await coordinator();
    const { url } = await node();
    const first = await agent(started);
    first.send(registration('n1', url));
    await first.next('registered');
    const second = await agent(started);
    second.send(registration('n2', url, { balancer: 'other' }));
    const error = await second.next('error');
    assert.equal(error['code'], 'context-taken');
    assert.match(String(error['message']), /is served by balancer shop/);
  });

  test('one connection registers one node only', async () => {
    const started = await coordinator();
    const { url } = await node();
    const socket = await agent(started);
    socket.send(registration('n1', url));
    await socket.next('registered');
    socket.send(registration('n2', url));
    assert.equal((await socket.next('error'))['code'], 'already-registered');
  });

  test('a removed process cannot register again, a new process can', async () => {
    const started = await coordinator();
    const { url } = await node();
    const instance = 'a'.repeat(32);
    const socket = await agent(started);
    socket.send(registration('n1', url, { instance }));
    await event(started, 'up', 'n1');
    await started.api('/v1/nodes/n1', { method: 'DELETE', body: { force: true } });
    assert.equal((await socket.next('error'))['code'], 'removed');
    assert.equal((await socket.closed).code, 4403);
    const again = await agent(started);
    again.send(registration('n1', url, { instance }));
    assert.equal((await again.next('error'))['code'], 'removed');
    const fresh = await agent(started);
    fresh.send(registration('n1', url, { instance: 'b'.repeat(32) }));
    await fresh.next('registered');
  });
});

test('agents can have their own port, without pages', async () => {
  const started = await coordinator({ agentsListen: { host: '127.0.0.1', port: 0 } });
  assert.notEqual(started.coordinator.agentsUrl, started.coordinator.url.replace('http', 'ws'));
  await agent(started);
  const response = await fetch(`${started.coordinator.agentsUrl.replace('ws', 'http')}/v1/nodes`);
  assert.equal(response.status, 404);
});

function sendFragments(socket: TestSocket): void {
  for (let i = 0; i < 5_000; i++) socket.socket.send('', { fin: false });
  void once(socket.socket, 'close');
}

describe('messages that agents sent while the coordinator was stalled', () => {
  /** Blocks this process, the coordinator's, without using the CPU. */
  function stall(ms: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  }

  for (const { stalledMs, perAgent, agents, isFlood } of [
    { stalledMs: 3_000, perAgent: 45, agents: 50, isFlood: false },
    { stalledMs: 3_000, perAgent: 1_500, agents: 2, isFlood: true },
    { stalledMs: 0, perAgent: 1_500, agents: 2, isFlood: true },
  ])
    test(`${agents} agents with ${perAgent} heartbeats after ${stalledMs} ms: ${isFlood ? 'refused' : 'none refused'}`, async () => {
      const started = await coordinator();
      const sockets: TestSocket[] = [];
      for (let i = 0; i < agents; i++) {
        const socket = await agent(started);
        socket.send(registration(`n${i}`, `http://127.0.0.1:${4_000 + i}`, { route: `r${i}` }));
        await socket.next('registered');
        sockets.push(socket);
      }
      for (const socket of sockets) for (let i = 0; i < perAgent; i++) socket.send({ type: 'heartbeat', load: 0.1 });
      if (stalledMs > 0) stall(stalledMs);
      if (isFlood) {
        for (const socket of sockets) assert.equal((await socket.closed).code, 1008);
        return;
      }
      // The answer to a last message proves that all earlier messages were read.
      for (const socket of sockets) {
        socket.send({ type: 'nonsense' });
        assert.notEqual((await socket.next('error'))['code'], 'too-fast');
      }
    });
});
