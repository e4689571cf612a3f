import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CoordinatorMessage, NodeRegistration } from '@rollcall/protocol';
import { Agent, type AgentEvents, type AgentOptions } from './agent.ts';
import { toRegistration } from './registration.ts';
import { ManualTimers } from './testing/manual-timers.ts';
import { type ScriptedCoordinator, startScriptedCoordinator } from './testing/scripted-coordinator.ts';

const ERROR = (code: string, message: string): CoordinatorMessage => ({ type: 'error', code, message });

function registration(): NodeRegistration {
  const facts = { id: 'n1', route: 'n1', url: 'http://127.0.0.1:3000', instance: 'a'.repeat(32), incarnation: 5 };
  const node = toRegistration({ balancer: 'shop' }, facts);
  assert.ok(!('code' in node));
  return node;
}

/** An agent that comes back without waiting, because its random numbers are zero. */
function newAgent(urls: readonly string[], options: Partial<AgentOptions> = {}): Agent {
  return new Agent({
    coordinators: urls,
    token: () => ({}),
    registration,
    report: () => ({ load: 0.25 }),
    rng: () => 0,
    ...options,
  });
}

function next<Name extends keyof AgentEvents>(agent: Agent, name: Name): Promise<AgentEvents[Name]> {
  return new Promise((resolve) => {
    const listener = (value: AgentEvents[Name]) => {
      agent.off(name, listener);
      resolve(value);
    };
    agent.on(name, listener);
  });
}

async function coordinators(t: { after(fn: () => Promise<void>): void }, count = 1): Promise<ScriptedCoordinator[]> {
  const list = await Promise.all(Array.from({ length: count }, () => startScriptedCoordinator()));
  for (const coordinator of list) t.after(() => coordinator.close());
  return list;
}

/** A port on which nobody listens any more. */
async function deadUrl(): Promise<string> {
  const coordinator = await startScriptedCoordinator();
  await coordinator.close();
  return coordinator.url;
}

test('registers, reports and leaves', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  agent.start();
  agent.start();
  const peer = await coordinator!.peer();
  assert.deepEqual({ ...(await peer.accept()), meta: {} }, { ...registration(), meta: {} });
  assert.deepEqual(await peer.next('heartbeat'), { type: 'heartbeat', seq: 1, load: 0.25 });
  assert.ok(agent.isRegistered);
  await agent.leave();
  await agent.leave();
  await peer.next('leave');
  await peer.closed();
  assert.equal(peer.closeCode, 1000);
  assert.ok(agent.isEnded);
});

test('a lost connection is re-established with the same instance and incarnation', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const first = await coordinator!.peer();
  const node = await first.accept();
  await first.next('heartbeat');
  const lost = next(agent, 'disconnected');
  first.cut();
  assert.equal((await lost).code, 'connection-lost');
  const second = await coordinator!.peer();
  const again = await second.accept();
  assert.deepEqual([again.instance, again.incarnation], [node.instance, node.incarnation]);
  await second.next('heartbeat');
});

test('goes round the list until a coordinator answers, and says once that none did', async (t) => {
  const [coordinator] = await coordinators(t);
  const dead = await deadUrl();
  const agent = newAgent([dead, dead.replace('127.0.0.1', 'localhost'), coordinator!.url]);
  t.after(() => agent.leave());
  const warnings: string[] = [];
  agent.on('warning', ({ code }) => warnings.push(code));
  agent.start();
  await (await coordinator!.peer()).accept();
  await next(agent, 'registered');
  assert.deepEqual(warnings, ['no-coordinator']);
});

test('comes back after 1012, and to the other coordinator when there is one', async (t) => {
  const [first, second] = await coordinators(t, 2);
  const agent = newAgent([first!.url, second!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await first!.peer();
  await peer.accept();
  peer.close(1012);
  await (await second!.peer()).accept();
});

test('an announced coordinator on a configured host is gone to, a stranger is not', async (t) => {
  const [first, second] = await coordinators(t, 2);
  const agent = newAgent([first!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await first!.peer();
  await peer.accept({ coordinators: ['ws://stranger.invalid:1', second!.url] });
  peer.cut();
  await (await second!.peer()).accept();
});

test('stops when a newer process has the id, and says so', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  const error = next(agent, 'error');
  peer.send(ERROR('superseded', 'a newer process has the id n1'));
  peer.close(4409);
  assert.deepEqual(await error, { code: 'superseded', message: 'a newer process has the id n1' });
  assert.ok(agent.isEnded);
  assert.equal(await agent.drain(), 'unregistered');
});

test('stops when an operator has removed it, even without a reason', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  const error = next(agent, 'error');
  peer.close(4403);
  assert.equal((await error).code, '4403');
});

test('a refusal that may pass is warned of once and tried again', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  const warnings: string[] = [];
  agent.on('warning', ({ code }) => warnings.push(code));
  agent.start();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const peer = await coordinator!.peer();
    await peer.next('register');
    peer.send(ERROR('route-taken', 'route n1 belongs to n2'));
    peer.close(4409);
  }
  await (await coordinator!.peer()).accept();
  await next(agent, 'registered');
  assert.deepEqual(warnings, ['route-taken']);
});

test('a refused token is named, and asked for anew at the next attempt', async (t) => {
  const [coordinator] = await coordinators(t);
  coordinator!.refuseWith(401);
  const tokens = ['old', 'new'];
  const agent = newAgent([coordinator!.url], {
    token: () => ({ token: tokens.length > 1 ? tokens.shift()! : tokens[0]! }),
  });
  t.after(() => agent.leave());
  const warning = next(agent, 'warning');
  agent.start();
  const { code, message } = await warning;
  assert.equal(code, 'unauthenticated');
  assert.match(message, /ROLLCALL_JOIN_TOKEN/);
  assert.doesNotMatch(message, /old/);
  coordinator!.refuseWith(undefined);
  assert.equal((await coordinator!.peer()).authorization, 'Bearer new');
});

test('garbage of a coordinator is ignored, and later messages of other versions pass in silence', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  const warnings: string[] = [];
  agent.on('warning', ({ code }) => warnings.push(code));
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  for (let count = 0; count < 200; count += 1) peer.sendText('garbage');
  peer.sendText('{"type":"from-the-future"}');
  const status = next(agent, 'status');
  peer.send({ type: 'status', status: 'draining', reason: 'deploy' });
  assert.deepEqual(await status, { type: 'status', status: 'draining', reason: 'deploy' });
  assert.equal(agent.status, 'draining');
  assert.deepEqual(warnings, ['coordinator-garbage']);
});

test('draining asks to be stopped and waits for the word', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await peer.next('heartbeat');
  const drained = agent.drain({ reason: 'SIGTERM' });
  assert.equal(agent.drain(), drained, 'a repeat waits for the first');
  const status = await peer.next('status');
  assert.deepEqual([status.status, status.reason, status.deadlineMs], ['stopped', 'SIGTERM', 8_000]);
  assert.equal(agent.status, 'stopped');
  peer.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
});

test('sessions are waited for first when that is wanted', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await peer.next('heartbeat');
  const drained = agent.drain({ sessionsMs: 300_000 });
  assert.deepEqual(await peer.next('status'), { type: 'status', status: 'draining', deadlineMs: 300_000 });
  peer.send({ type: 'drained' });
  assert.equal((await peer.next('status')).status, 'stopped');
  peer.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
});

test('a drain survives the loss of the connection: the wish is told again', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const first = await coordinator!.peer();
  await first.accept();
  await first.next('heartbeat');
  const drained = agent.drain();
  await first.next('status');
  first.cut();
  const second = await coordinator!.peer();
  await second.accept();
  assert.equal((await second.next('status')).status, 'stopped');
  second.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
});

test('a drain ends at its deadline, and at once when no coordinator ever knew the node', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  assert.equal(await agent.drain(), 'unregistered');
  const other = newAgent([coordinator!.url]);
  t.after(() => other.leave());
  other.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await next(other, 'registered');
  assert.equal(await other.drain({ deadlineMs: 1 }), 'deadline');
});

test('a program that does not answer is not registered until it does', async (t) => {
  const [coordinator] = await coordinators(t);
  const timers = new ManualTimers();
  const answers = [false, 'broken', true];
  const asked: unknown[] = [];
  const agent = newAgent([coordinator!.url], {
    timers,
    isAnswering: async () => {
      const answer = answers.shift();
      asked.push(answer);
      if (typeof answer === 'string') throw new Error(answer);
      return answer ?? false;
    },
  });
  t.after(() => agent.leave());
  agent.start();
  for (let turn = 0; turn < 2; turn += 1) {
    await new Promise(setImmediate);
    timers.advance(1_000);
  }
  await (await coordinator!.peer()).accept();
  assert.deepEqual(asked, [false, 'broken', true]);
});

test('a node that cannot say who it is warns and does not register', async (t) => {
  const [coordinator] = await coordinators(t);
  let isReady = false;
  const agent = newAgent([coordinator!.url], {
    registration: () => (isReady ? registration() : { code: 'bad-address', message: 'url is wrong' }),
  });
  t.after(() => agent.leave());
  const warning = next(agent, 'warning');
  agent.start();
  assert.equal((await warning).code, 'bad-address');
  await (await coordinator!.peer()).closed();
  isReady = true;
  for (;;) {
    const peer = await coordinator!.peer();
    await Promise.race([peer.closed(), peer.accept()]);
    if (agent.isRegistered || peer.received.length > 0) break;
  }
});
