/** An agent with several coordinators. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ErrorMessage } from '@rollcall/protocol';
import { type Agent, type AgentEvents, type AgentOptions, NAMES_MS } from './agent.ts';
import { SAME_COORDINATOR_MS, SILENT_MS } from './coordinator-link.ts';
import { joinToken } from './join-token.ts';
import { startBlackHole } from './testing/black-hole.ts';
import { ManualTimers } from './testing/manual-timers.ts';
import {
  type ScriptedCoordinator,
  type ScriptedPeer,
  startScriptedCoordinator,
} from './testing/scripted-coordinator.ts';
import { coordinators, deadUrl, newAgent, next, registration } from './testing/test-agent.ts';

/** All events of an agent, as texts. */
function eventsOf(agent: Agent): string[] {
  const events: string[] = [];
  for (const name of ['registered', 'reconnected', 'drained', 'status', 'scale'] as const)
    agent.on(name, () => void events.push(name));
  for (const name of ['disconnected', 'warning', 'error'] as const)
    agent.on(name, ({ code }) => void events.push(`${name} ${code}`));
  return events;
}

/** An agent that is registered at `count` coordinators with ids, and has sent a heartbeat to each. */
async function registered(t: TestContext, count = 2, options: Partial<AgentOptions> = {}) {
  const list = await coordinators(t, count, true);
  const agent = newAgent(
    list.map(({ url }) => url),
    options,
  );
  t.after(() => agent.leave());
  const events = eventsOf(agent);
  agent.start();
  const peers: ScriptedPeer[] = [];
  for (const coordinator of list) peers.push(await accepted(coordinator));
  return { agent, list, peers, events };
}

async function accepted(coordinator: ScriptedCoordinator): Promise<ScriptedPeer> {
  const peer = await coordinator.peer();
  await peer.accept();
  await peer.next('heartbeat');
  return peer;
}

/** Waits until `isSo`, without advancing time. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}

/** Advances time by `durationMs`; the connections of `peers` are not silent. */
async function passes(timers: ManualTimers, agent: Agent, peers: readonly ScriptedPeer[], durationMs: number) {
  const STEP_MS = 5_000;
  for (let passedMs = 0; passedMs < durationMs; passedMs += STEP_MS) {
    for (const [index, peer] of peers.entries()) {
      const warned = next(agent, 'warning');
      peer.send({ type: 'error', code: 'bad-field', message: `to ${index} at ${timers.nowMs()}` });
      await warned;
    }
    timers.advance(STEP_MS);
  }
}

const SUPERSEDED: ErrorMessage = {
  type: 'error',
  code: 'superseded',
  message: 'a newer connection of this process speaks for node n1',
  holderConnected: true,
};

test('a node registers at each coordinator, with one event, and leaves all of them', async (t) => {
  const { agent, peers, events } = await registered(t, 3);
  assert.deepEqual(events, ['registered']);
  await agent.leave();
  for (const peer of peers) {
    await peer.next('leave');
    await peer.closed();
    assert.equal(peer.closeCode, 1000);
  }
});

test('the loss of one of two connections is a warning, the loss of the last one is disconnected', async (t) => {
  const { agent, list, peers, events } = await registered(t);
  const warning = next(agent, 'warning');
  peers[0]!.cut();
  const { code, message } = await warning;
  assert.equal(code, 'connection-lost');
  const host = new URL(list[0]!.url).host;
  assert.match(message, new RegExp(`^lost the coordinator at ws://${host} .*; 1 other coordinator is connected`));
  assert.ok(agent.isRegistered);
  const again = await accepted(list[0]!);
  const lost = next(agent, 'disconnected');
  again.cut();
  peers[1]!.cut();
  await lost;
  await Promise.all(list.map(accepted));
  await until(() => events.length >= 8);
  assert.deepEqual(events.slice(0, 3), ['registered', 'warning connection-lost', 'reconnected']);
  const all = ['warning connection-lost', 'disconnected connection-lost', 'registered', 'reconnected', 'reconnected'];
  assert.deepEqual(events.slice(3), all);
});

test('a coordinator that is not reachable is one warning, and delays nothing', async (t) => {
  const [coordinator] = await coordinators(t, 1, true);
  const dead = await deadUrl();
  const agent = newAgent([dead, coordinator!.url], { rng: () => 0.01 });
  t.after(() => agent.leave());
  const warnings: AgentEvents['warning'][] = [];
  agent.on('warning', (notice) => void warnings.push(notice));
  agent.start();
  await accepted(coordinator!);
  await until(() => warnings.length > 0);
  const text = new URL(dead).host;
  assert.deepEqual(warnings, [
    {
      code: 'coordinator-unreachable',
      message: `cannot connect to the coordinator at ws://${text}: connection refused; other coordinators are connected; retrying`,
    },
  ]);
});

test('a coordinator that does not answer delays neither the registration nor the end', async (t) => {
  const hole = createServer(() => {});
  hole.listen(0, '127.0.0.1');
  await once(hole, 'listening');
  t.after(() => hole.close());
  const [coordinator] = await coordinators(t, 1, true);
  const holeUrl = `ws://127.0.0.1:${(hole.address() as AddressInfo).port}/v1/agent`;
  const timers = new ManualTimers();
  const agent = newAgent([holeUrl, coordinator!.url], { timers });
  agent.start();
  const peer = await accepted(coordinator!);
  const left = agent.leave();
  await peer.next('leave');
  // No time has passed.
  await left;
  assert.equal(timers.size, 0);
});

test('a port that answers no connect delays the registration by no more than 1 s', async (t) => {
  const hole = await startBlackHole();
  t.after(() => hole.close());
  const [coordinator] = await coordinators(t, 1, true);
  const agent = newAgent([`ws://127.0.0.1:${hole.port}/v1/agent`, coordinator!.url], { rng: Math.random });
  t.after(() => agent.leave());
  const unreachable = next(agent, 'warning');
  const startedAtMs = performance.now();
  const ready = next(agent, 'registered');
  agent.start();
  await (await coordinator!.peer()).accept();
  await ready;
  assert.ok(performance.now() - startedAtMs < 1_000);
  assert.match((await unreachable).message, /no answer in 1 s; other coordinators are connected; retrying$/);
});

test('a drain with a coordinator that does not answer ends at its deadline', async (t) => {
  const timers = new ManualTimers();
  const { agent, peers } = await registered(t, 2, { timers });
  const drained = agent.drain({ deadlineMs: 3_000 });
  for (const peer of peers) await peer.next('status');
  const confirmed = next(agent, 'scale');
  peers[1]!.send({ type: 'drained' });
  peers[1]!.send({ type: 'scale', count: 1 });
  await confirmed;
  let outcome: string | undefined;
  void drained.then((each) => {
    outcome = each;
  });
  timers.advance(2_999);
  await new Promise(setImmediate);
  assert.equal(outcome, undefined);
  timers.advance(1);
  assert.equal(await drained, 'deadline');
});

test('after a rotation of the token file each connection uses the new token', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-token-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'token');
  writeFileSync(file, 'first\n');
  const { list, peers, events } = await registered(t, 2, {
    token: () => joinToken(undefined, { ROLLCALL_JOIN_TOKEN_FILE: file }),
  });
  assert.deepEqual(
    peers.map(({ authorization }) => authorization),
    ['Bearer first', 'Bearer first'],
  );
  writeFileSync(file, 'second\n');
  // One after the other, as two coordinators end the old token at different times.
  for (const [index, peer] of peers.entries()) {
    peer.close(4401);
    const again = await accepted(list[index]!);
    assert.equal(again.authorization, 'Bearer second');
  }
  assert.ok(!events.some((event) => event.startsWith('disconnected')), 'the node is registered all the time');
});

test('a drain is complete when each coordinator has confirmed it', async (t) => {
  const { agent, peers, events } = await registered(t);
  const drained = agent.drain({ reason: 'SIGTERM' });
  for (const peer of peers) assert.equal((await peer.next('status')).status, 'stopped');
  peers[1]!.send({ type: 'drained' });
  peers[1]!.send({ type: 'scale', count: 1 });
  await next(agent, 'scale');
  assert.deepEqual(events, ['registered', 'scale'], 'one has not confirmed it');
  peers[0]!.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
  assert.deepEqual(events.at(-1), 'drained');
});

test('a drain does not wait for a coordinator that is lost during the drain', async (t) => {
  const { agent, list, peers } = await registered(t);
  const drained = agent.drain();
  for (const peer of peers) await peer.next('status');
  list[0]!.refuseWith(503);
  const lost = next(agent, 'warning');
  peers[0]!.cut();
  await lost;
  peers[1]!.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
});

test('a coordinator that accepts the node again within the drain is informed and waited for', async (t) => {
  const { agent, list, peers, events } = await registered(t);
  const drained = agent.drain();
  for (const peer of peers) await peer.next('status');
  peers[0]!.cut();
  const again = await accepted(list[0]!);
  assert.ok(
    again.received.some(({ type }) => type === 'status'),
    'sent before the first heartbeat',
  );
  peers[1]!.send({ type: 'drained' });
  peers[1]!.send({ type: 'scale', count: 1 });
  await next(agent, 'scale');
  assert.ok(!events.includes('drained'));
  again.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
});

test('a refusal that ends the node everywhere closes the other connections in order, without leave', async (t) => {
  const { agent, peers } = await registered(t);
  const error = next(agent, 'error');
  peers[0]!.send({ ...SUPERSEDED, message: 'a newer process has the id n1' });
  peers[0]!.close(4409);
  assert.deepEqual(await error, { code: 'superseded', message: 'a newer process has the id n1' });
  await peers[1]!.closed();
  assert.equal(peers[1]!.closeCode, 1000);
  assert.ok(!peers[1]!.received.some(({ type }) => type === 'leave'));
  assert.ok(agent.isEnded);
});

test('one coordinator may refuse the node while another has it', async (t) => {
  const { agent, peers, events } = await registered(t, 2, { rng: () => 0.5 });
  const drained = agent.drain();
  const warning = next(agent, 'warning');
  peers[0]!.send({ type: 'error', code: 'forbidden', message: 'the token web is bound to context /a' });
  peers[0]!.close(4403);
  assert.equal((await warning).code, 'forbidden');
  peers[1]!.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
  assert.ok(agent.isRegistered);
  assert.ok(!events.includes('disconnected forbidden'));
});

test('of two addresses of one coordinator one is used; the other is tried after 30 s, or when the first is lost', async (t) => {
  const list = [await startScriptedCoordinator({ id: 'c0' }), await startScriptedCoordinator({ id: 'c0' })] as const;
  for (const coordinator of list) t.after(() => coordinator.close());
  const timers = new ManualTimers();
  const agent = newAgent(
    list.map(({ url }) => url),
    { timers },
  );
  t.after(() => agent.leave());
  const warning = next(agent, 'warning');
  agent.start();
  const peers = await Promise.all(list.map((coordinator) => coordinator.peer()));
  const used = await Promise.race(peers.map((peer) => peer.next('register').then(() => peer)));
  const unused = peers.find((peer) => peer !== used)!;
  await unused.closed();
  assert.deepEqual([unused.closeCode, unused.received], [1000, []]);
  assert.equal((await warning).code, 'misuse');
  used.send(await registeredBy(used));
  await used.next('heartbeat');
  const other = list[peers.indexOf(unused)]!;
  await passes(timers, agent, [used], SAME_COORDINATOR_MS);
  const again = await other.peer();
  await again.closed();
  assert.deepEqual([again.closeCode, again.received], [1000, []]);
  list[peers.indexOf(used)]!.refuseWith(503);
  used.cut();
  await (await other.peer()).accept();
});

for (const isEarly of [true, false])
  test(`a coordinator that announces its id only in registered keeps the newest connection (superseded ${isEarly ? 'first' : 'last'})`, async (t) => {
    const list = await coordinators(t, 2);
    const agent = newAgent(list.map(({ url }) => url));
    t.after(() => agent.leave());
    const events = eventsOf(agent);
    agent.start();
    const [first, second] = [await list[0]!.peer(), await list[1]!.peer()];
    await first.accept({ coordinatorId: 'c0' });
    await next(agent, 'registered');
    if (isEarly) {
      await second.next('register');
      first.send(SUPERSEDED);
      first.close(4409);
      await first.closed();
      second.send({ ...(await registeredBy(second)), coordinatorId: 'c0' });
    } else {
      await second.accept({ coordinatorId: 'c0' });
      await first.closed();
      assert.equal(first.closeCode, 1000);
    }
    await second.next('heartbeat');
    assert.ok(agent.isRegistered);
    assert.ok(!first.received.some(({ type }) => type === 'leave'));
    assert.deepEqual(
      events.filter((event) => event !== 'registered'),
      [],
    );
  });

async function registeredBy(peer: ScriptedPeer) {
  const message = peer.received.find(({ type }) => type === 'register');
  assert.ok(message?.type === 'register');
  const pace = { heartbeatMs: 1_000, suspectMs: 3_000, leaseMs: 20_000 };
  return { type: 'registered', node: message.node, ...pace, epoch: 'e', coordinators: [], warnings: [] } as const;
}

test('the most restrictive status of the coordinators applies', async (t) => {
  const { agent, peers, list } = await registered(t);
  const statuses: string[] = [];
  agent.on('status', ({ status, reason = '' }) => void statuses.push(`${status} ${reason}`));
  peers[0]!.send({ type: 'status', status: 'stopped', reason: 'broken' });
  await until(() => statuses.length === 1);
  peers[1]!.send({ type: 'status', status: 'draining', reason: 'deploy' });
  peers[1]!.send({ type: 'scale', count: 1 });
  await next(agent, 'scale');
  assert.equal(agent.status, 'stopped');
  list[0]!.refuseWith(503);
  peers[0]!.cut();
  await until(() => statuses.length === 2);
  assert.equal(agent.status, 'draining');
  peers[1]!.send({ type: 'status', status: 'enabled' });
  await until(() => agent.status === 'enabled');
  assert.deepEqual(statuses, ['stopped broken', 'draining deploy', 'enabled ']);
});

test('a number of copies is reported once, and again when the same coordinator repeats it', async (t) => {
  const { agent, peers } = await registered(t);
  const counts: number[] = [];
  let sent = 0;
  agent.on('scale', ({ count }) => void counts.push(count));
  for (const [index, count] of [
    [0, 4],
    [1, 4],
    [1, 5],
    [0, 5],
    [1, 5],
  ] as const) {
    peers[index]!.send({ type: 'scale', count });
    // A warning that follows on the same connection.
    const handled = next(agent, 'warning');
    peers[index]!.send({ type: 'error', code: 'bad-field', message: `after ${sent++}` });
    await handled;
  }
  assert.deepEqual(counts, [4, 5, 5]);
});

test('announced coordinators are connected too; one on another host over plain ws is one warning', async (t) => {
  const list = await coordinators(t, 2, true);
  const agent = newAgent([list[0]!.url]);
  t.after(() => agent.leave());
  const warnings: AgentEvents['warning'][] = [];
  agent.on('warning', (notice) => void warnings.push(notice));
  agent.start();
  const peer = await list[0]!.peer();
  await peer.accept({ coordinators: ['ws://unlisted.invalid:1', list[1]!.url] });
  const second = await list[1]!.peer();
  await second.accept({ coordinators: ['ws://unlisted.invalid:1'] });
  await second.next('heartbeat');
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['coordinator-ignored'],
  );
  assert.match(warnings[0]!.message, /add ws:\/\/unlisted\.invalid:1 to ROLLCALL_URL$/);
});

test('a running agent follows the list of coordinators: it connects to new ones and gives up others, without leave', async (t) => {
  const list = await coordinators(t, 3, true);
  const [first, second, third] = list.map(({ url }) => url) as [string, string, string];
  const agent = newAgent([first]);
  t.after(() => agent.leave());
  const events = eventsOf(agent);
  agent.start();
  const peer = await accepted(list[0]!);
  peer.send({ type: 'coordinators', coordinators: [first, second] });
  const other = await accepted(list[1]!);
  peer.send({ type: 'coordinators', coordinators: [first, second, third] });
  const last = await accepted(list[2]!);
  last.send({ type: 'coordinators', coordinators: [first, third] });
  peer.send({ type: 'coordinators', coordinators: [third] });
  await other.closed();
  assert.equal(other.closeCode, 1000);
  assert.ok(!other.received.some(({ type }) => type === 'leave'));
  // A coordinator that announces itself is kept while it is connected, also if another one has forgotten it.
  peer.send({ type: 'coordinators', coordinators: [] });
  peer.send({ type: 'scale', count: 1 });
  await next(agent, 'scale');
  assert.deepEqual([peer.closeCode, last.closeCode], [undefined, undefined]);
  const lost = next(agent, 'warning');
  last.cut();
  await lost;
  // Its backoff is 0.
  for (let count = 2; count < 9; count++) {
    const handled = next(agent, 'scale');
    peer.send({ type: 'scale', count });
    await handled;
  }
  assert.equal(list[2]!.connections, 1);
  peer.send({ type: 'coordinators', coordinators: [third] });
  await accepted(list[2]!);
  assert.deepEqual(
    events.filter((event) => event !== 'scale'),
    ['registered', 'warning connection-lost'],
  );
});

test('the only connected coordinator is kept although no coordinator announces it', async (t) => {
  const list = await coordinators(t, 2, true);
  const agent = newAgent([list[0]!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await list[0]!.peer();
  await peer.accept({ coordinators: [list[1]!.url] });
  const other = await accepted(list[1]!);
  list[0]!.refuseWith(503);
  const lost = next(agent, 'warning');
  peer.cut();
  await lost;
  other.send({ type: 'coordinators', coordinators: [] });
  other.send({ type: 'scale', count: 1 });
  await next(agent, 'scale');
  assert.deepEqual([other.closeCode, agent.isRegistered], [undefined, true]);
  list[0]!.refuseWith(undefined);
  await accepted(list[0]!);
  await other.closed();
  assert.equal(other.closeCode, 1000);
});

test('a drain does not wait for a coordinator that is given up', async (t) => {
  const list = await coordinators(t, 2, true);
  const agent = newAgent([list[0]!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await list[0]!.peer();
  await peer.accept({ coordinators: [list[1]!.url] });
  const other = await accepted(list[1]!);
  const drained = agent.drain();
  for (const each of [peer, other]) await each.next('status');
  peer.send({ type: 'drained' });
  peer.send({ type: 'coordinators', coordinators: [] });
  assert.equal(await drained, 'drained');
});

test('no warning about an announced address that is the one of a configured coordinator', async (t) => {
  const list = await coordinators(t, 2, true);
  const agent = newAgent(list.map(({ url }) => url));
  t.after(() => agent.leave());
  const warnings: AgentEvents['warning'][] = [];
  agent.on('warning', (notice) => void warnings.push(notice));
  agent.start();
  const [own, other] = ['ws://one.invalid:8400', 'ws://two.invalid:8400'];
  const peers = await Promise.all(list.map((each) => each.peer()));
  // The second coordinator accepts the node later than the first one announces it by another name.
  await peers[0]!.accept({ coordinators: [own, other], coordinatorUrl: own });
  await peers[0]!.next('heartbeat');
  await peers[1]!.accept({ coordinators: [own, other], coordinatorUrl: other });
  await peers[1]!.next('heartbeat');
  assert.deepEqual(warnings, []);
  const ignored = next(agent, 'warning');
  peers[1]!.send({ type: 'coordinators', coordinators: [own, other, 'ws://three.invalid:8400'] });
  assert.match((await ignored).message, /add ws:\/\/three\.invalid:8400 to ROLLCALL_URL$/);
});

test('an announced address is a warning also while a configured coordinator cannot be reached', async (t) => {
  const [coordinator] = await coordinators(t, 1, true);
  const agent = newAgent([coordinator!.url, await deadUrl()], { rng: () => 0.01 });
  t.after(() => agent.leave());
  const codes: string[] = [];
  agent.on('warning', ({ code }) => void codes.push(code));
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept({ coordinators: ['ws://other.invalid:8400'] });
  await until(() => codes.length === 2);
  assert.deepEqual(codes.toSorted(), ['coordinator-ignored', 'coordinator-unreachable']);
});

test('the own address of a connected coordinator is neither a warning nor a second connection', async (t) => {
  const list = await coordinators(t, 2, true);
  const agent = newAgent([list[0]!.url]);
  t.after(() => agent.leave());
  const events = eventsOf(agent);
  agent.start();
  const peer = await list[0]!.peer();
  const own = 'ws://own.invalid:8400';
  await peer.accept({ coordinators: [own, list[1]!.url], coordinatorUrl: own });
  const second = await list[1]!.peer();
  // Another coordinator announces it as well.
  await second.accept({ coordinators: [own, 'wss://second.invalid'], coordinatorUrl: 'wss://second.invalid' });
  await second.next('heartbeat');
  assert.deepEqual(events, ['registered']);
});

for (const [code, error, scope] of [
  [1002, undefined, 'connection'],
  [1003, undefined, 'connection'],
  [1007, undefined, 'connection'],
  [1008, undefined, 'connection'],
  [1009, undefined, 'connection'],
  [1012, undefined, 'connection'],
  [4000, undefined, 'connection'],
  [4400, undefined, 'connection'],
  [4401, undefined, 'connection'],
  [4403, { code: 'forbidden' }, 'avoid'],
  [4403, { code: 'id-owned' }, 'avoid'],
  [4403, { code: 'too-many-nodes' }, 'avoid'],
  [4403, { code: 'removed' }, 'everywhere'],
  [4403, { code: 'not-this-node' }, 'everywhere'],
  [4403, undefined, 'everywhere'],
  [4408, undefined, 'connection'],
  [4409, { code: 'superseded', holderConnected: true }, 'everywhere'],
  [4409, { code: 'superseded', holderConnected: false }, 'avoid'],
  [4409, { code: 'superseded' }, 'everywhere'],
  [4409, { code: 'address-taken' }, 'connection'],
  [4409, undefined, 'connection'],
  [4426, undefined, 'everywhere'],
] as const)
  test(`close code ${code} ${error === undefined ? 'alone' : JSON.stringify(error)}: ${scope}`, async (t) => {
    const timers = new ManualTimers();
    const { agent, list, peers, events } = await registered(t, 2, { timers });
    if (error !== undefined) peers[0]!.send({ type: 'error', message: 'a sentence', ...error });
    const ended = next(agent, scope === 'everywhere' ? 'error' : 'warning');
    peers[0]!.close(code);
    await peers[0]!.closed();
    await ended;
    if (scope === 'everywhere') {
      await peers[1]!.closed();
      assert.deepEqual([agent.isEnded, peers[1]!.closeCode], [true, 1000]);
      assert.ok(!peers[1]!.received.some(({ type }) => type === 'leave'));
      return;
    }
    // The end has been handled when the agent waits for its next attempt.
    await until(() => agent.isRegistered && !events.includes('disconnected'));
    if (scope === 'avoid') {
      await passes(timers, agent, [peers[1]!], 15_000);
      assert.equal(list[0]!.connections, 1, 'it is avoided');
      await passes(timers, agent, [peers[1]!], 60_000);
    } else {
      while (list[0]!.connections < 2) {
        await new Promise(setImmediate);
        timers.advance(0);
      }
    }
    await (await list[0]!.peer()).accept();
    assert.deepEqual([agent.isEnded, peers[1]!.closeCode], [false, undefined]);
  });

test('a link over a UNIX socket is the only one: no ping each second, and no name is looked up', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-socket-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 's');
  const coordinator = await startScriptedCoordinator({ id: 'c0', path });
  t.after(() => coordinator.close());
  const timers = new ManualTimers();
  const lookedUp: string[] = [];
  const agent = newAgent([coordinator.url], {
    timers,
    lookUp: async (name) => {
      lookedUp.push(name);
      return [];
    },
  });
  t.after(() => agent.leave());
  const events = eventsOf(agent);
  agent.start();
  const peer = await accepted(coordinator);
  // Longer than the silence with several coordinators; no turn of the event loop between the checks.
  timers.advance(SILENT_MS + 1_000);
  assert.ok(agent.isRegistered);
  await agent.leave();
  await peer.closed();
  assert.deepEqual([lookedUp, events, coordinator.connections], [[], ['registered'], 1]);
});

test('alternatives are one connection, and announced coordinators are further ones', async (t) => {
  const list = await coordinators(t, 3, true);
  const [first, second, third] = list;
  const agent = newAgent([first!.url, second!.url], { areAlternatives: true });
  t.after(() => agent.leave());
  agent.start();
  const peer = await first!.peer();
  await peer.accept({ coordinators: [second!.url, third!.url] });
  await accepted(third!);
  assert.equal(second!.connections, 0);
  first!.refuseWith(503);
  peer.cut();
  await accepted(second!);
});

test('all addresses of a name are connected, also addresses that are added later', async (t) => {
  const first = await startScriptedCoordinator({ id: 'c0' });
  const port = Number(new URL(first.url).port);
  const others = await Promise.all(
    ['127.0.0.2', '127.0.0.3'].map((host, index) => startScriptedCoordinator({ id: `c${index + 1}`, host, port })),
  );
  for (const coordinator of [first, ...others]) t.after(() => coordinator.close());
  const timers = new ManualTimers();
  let addresses: readonly string[] = ['127.0.0.1', '127.0.0.2'];
  const agent = newAgent([`ws://coordinator.test:${port}/v1/agent`], { timers, lookUp: async () => addresses });
  t.after(() => agent.leave());
  agent.start();
  const peer = await first.peer();
  assert.equal(others[0]!.connections, 0);
  await peer.accept();
  const second = await accepted(others[0]!);
  addresses = [];
  await passes(timers, agent, [peer, second], NAMES_MS);
  await new Promise(setImmediate);
  addresses = ['127.0.0.3', '127.0.0.1', '127.0.0.2'];
  await passes(timers, agent, [peer, second], NAMES_MS);
  await accepted(others[1]!);
  assert.deepEqual([peer.closeCode, second.closeCode], [undefined, undefined]);
});

test('with several coordinators a silent one is left after 6 s', async (t) => {
  const timers = new ManualTimers();
  const { agent } = await registered(t, 2, { timers });
  const warning = next(agent, 'warning');
  // No turn of the event loop between the checks: no pong can arrive.
  timers.advance(SILENT_MS + 1_000);
  assert.match((await warning).message, /silent for 6000 ms/);
});

test('all coordinators get the local address towards the first one that is not on loopback', async (t) => {
  const [coordinator] = await coordinators(t, 1, true);
  const locals: string[] = [];
  const agent = newAgent([coordinator!.url, 'ws://192.0.2.1:8400/v1/agent'], {
    route: async (remote) => (remote === '192.0.2.1' ? '10.9.8.7' : undefined),
    registration: (local) => {
      locals.push(local);
      return registration();
    },
  });
  t.after(() => agent.leave());
  agent.start();
  const peer = await accepted(coordinator!);
  peer.cut();
  await accepted(coordinator!);
  assert.deepEqual(locals, ['10.9.8.7', '10.9.8.7']);
});
