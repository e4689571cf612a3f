import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CoordinatorMessage, DEFAULT_LEASE_MS, type ErrorMessage } from '@rollcall/protocol';
import type { AgentOptions } from './agent.ts';
import { CONNECT_TIMEOUT_MS } from './agent-connection.ts';
import { STOP_DEADLINE_MS } from './node-status.ts';
import { ManualTimers } from './testing/manual-timers.ts';
import { startScriptedCoordinator } from './testing/scripted-coordinator.ts';
import { coordinators, deadUrl, newAgent, next, registration } from './testing/test-agent.ts';

const ERROR = (code: string, message: string): CoordinatorMessage => ({ type: 'error', code, message });

const SUPERSEDED: ErrorMessage = { type: 'error', code: 'superseded', message: 'a newer process has the id n1' };

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

test('alternatives are tried in order, with a warning only if all fail', async (t) => {
  const [coordinator] = await coordinators(t);
  const dead = await deadUrl();
  const agent = newAgent([dead, dead.replace('127.0.0.1', 'localhost'), coordinator!.url], { areAlternatives: true });
  t.after(() => agent.leave());
  const warnings: string[] = [];
  agent.on('warning', ({ code }) => warnings.push(code));
  agent.start();
  await (await coordinator!.peer()).accept();
  await next(agent, 'registered');
  assert.deepEqual(warnings, []);
});

test('reconnects after close code 1012, to the other alternative if there is one', async (t) => {
  const [first, second] = await coordinators(t, 2);
  const agent = newAgent([first!.url, second!.url], { areAlternatives: true });
  t.after(() => agent.leave());
  agent.start();
  const peer = await first!.peer();
  await peer.accept();
  peer.close(1012);
  await (await second!.peer()).accept();
});

test('an announced coordinator without ids on a configured host is an alternative, on another host it is not', async (t) => {
  const [first, second] = await coordinators(t, 2);
  const agent = newAgent([first!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await first!.peer();
  await peer.accept({ coordinators: ['ws://unlisted.invalid:1', second!.url] });
  peer.cut();
  await (await second!.peer()).accept();
});

test('ends with an error when a newer process has the id', async (t) => {
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

test('ends with an error when a connected process holds its id', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  agent.start();
  const peer = await coordinator!.peer();
  await peer.next('register');
  const error = next(agent, 'error');
  peer.send({ ...SUPERSEDED, holderConnected: true });
  peer.close(4409);
  assert.equal((await error).code, 'superseded');
  assert.ok(agent.isEnded);
});

for (const isRegistered of [false, true])
  test(`superseded by a holder that is not connected, ${isRegistered ? 'after' : 'at'} its registration: registers again after the lease`, async (t) => {
    const [coordinator] = await coordinators(t);
    const timers = new ManualTimers();
    const agent = newAgent([coordinator!.url], { timers });
    t.after(() => agent.leave());
    const warnings: string[] = [];
    agent.on('warning', ({ code }) => warnings.push(code));
    agent.start();
    const peer = await coordinator!.peer();
    if (isRegistered) await peer.accept({ leaseMs: 5_000 });
    else await peer.next('register');
    peer.send({ ...SUPERSEDED, holderConnected: false });
    peer.close(4409);
    await peer.closed();
    // The wait for the lease is the only timer left.
    while (timers.size !== 1 || warnings.length === 0) await new Promise(setImmediate);
    assert.ok(!agent.isEnded);
    timers.advance((isRegistered ? 5_000 : DEFAULT_LEASE_MS) - 1);
    assert.equal(timers.size, 1, 'it still waits');
    timers.advance(1);
    await (await coordinator!.peer()).accept();
    assert.deepEqual(warnings, ['superseded']);
  });

test('revoked registrations are repeated with backoff, and reported once', async (t) => {
  const [coordinator] = await coordinators(t);
  const timers = new ManualTimers();
  const agent = newAgent([coordinator!.url], { timers, rng: () => 0.5 });
  t.after(() => agent.leave());
  const warnings: string[] = [];
  agent.on('warning', ({ code }) => warnings.push(code));
  agent.on('disconnected', ({ message }) => warnings.push(message));
  agent.start();
  for (const waitMs of [125, 250, 500, 1_000]) {
    const peer = await coordinator!.peer();
    await peer.accept();
    peer.send(ERROR('wrong-program', 'http://127.0.0.1:3000 is answered by another program'));
    peer.close(4409);
    await peer.closed();
    while (timers.size !== 1) await new Promise(setImmediate);
    timers.advance(waitMs - 1);
    assert.equal(timers.size, 1, 'it still waits');
    timers.advance(1);
  }
  const last = await coordinator!.peer();
  await last.accept();
  assert.deepEqual(warnings, ['wrong-program']);
});

test('without holderConnected a refused registration is retried', async (t) => {
  const [coordinator] = await coordinators(t);
  const timers = new ManualTimers();
  const agent = newAgent([coordinator!.url], { timers });
  t.after(() => agent.leave());
  const warning = next(agent, 'warning');
  agent.start();
  const peer = await coordinator!.peer();
  await peer.next('register');
  peer.send(SUPERSEDED);
  peer.close(4409);
  assert.equal((await warning).code, 'superseded');
  await peer.closed();
  while (timers.size !== 1) await new Promise(setImmediate);
  assert.ok(!agent.isEnded);
  timers.advance(DEFAULT_LEASE_MS);
  await (await coordinator!.peer()).accept();
});

test('ends when an operator has removed the node, even without a reason', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  const error = next(agent, 'error');
  peer.close(4403);
  assert.equal((await error).code, '4403');
});

for (const code of ['forbidden', 'id-owned', 'too-many-nodes'])
  test(`a registration refused with ${code} is retried about once a minute, and reported once`, async (t) => {
    const [coordinator] = await coordinators(t);
    const timers = new ManualTimers();
    const agent = newAgent([coordinator!.url], { timers });
    t.after(() => agent.leave());
    const notices: string[] = [];
    for (const name of ['warning', 'disconnected', 'error'] as const)
      agent.on(name, ({ message }) => notices.push(`${name}: ${message}`));
    agent.start();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const peer = await coordinator!.peer();
      await peer.next('register');
      peer.send(ERROR(code, 'the token web is bound to balancer shop'));
      peer.close(4403);
      await peer.closed();
      while (timers.size !== 1) await new Promise(setImmediate);
      timers.advance(44_999);
      assert.equal(timers.size, 1, 'it still waits');
      timers.advance(1);
    }
    await (await coordinator!.peer()).accept();
    await next(agent, 'registered');
    assert.deepEqual(notices, ['warning: the token web is bound to balancer shop; retrying about every 60 s']);
  });

test('a registered node is disconnected when its token no longer allows it, and returns when it does', async (t) => {
  const [coordinator] = await coordinators(t);
  const timers = new ManualTimers();
  const agent = newAgent([coordinator!.url], { timers });
  t.after(() => agent.leave());
  const notices: string[] = [];
  for (const name of ['registered', 'warning', 'disconnected', 'error'] as const)
    agent.on(name, (event) => notices.push(`${name} ${'code' in event ? event.code : ''}`));
  agent.start();
  const refuse = async () => {
    peer.send(ERROR('forbidden', 'the token web is bound to context /a'));
    peer.close(4403);
    await peer.closed();
    while (timers.size !== 1) await new Promise(setImmediate);
  };
  let peer = await coordinator!.peer();
  const { instance } = await peer.accept();
  await peer.next('heartbeat');
  await refuse();
  assert.deepEqual([agent.isRegistered, agent.isEnded], [false, false]);
  assert.equal(await agent.drain(), 'unregistered', 'no worker sends requests to a node that has left');
  timers.advance(45_000);
  peer = await coordinator!.peer();
  await peer.next('register');
  await refuse();
  timers.advance(45_000);
  peer = await coordinator!.peer();
  assert.equal((await peer.accept()).instance, instance);
  await peer.next('heartbeat');
  assert.deepEqual(notices, ['registered ', 'disconnected forbidden', 'registered ']);
});

test('a renewal that is refused is reported as disconnected', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await next(agent, 'registered');
  agent.renew();
  await peer.next('register');
  const lost = next(agent, 'disconnected');
  peer.send(ERROR('forbidden', 'the token web is bound to context /a'));
  peer.close(4403);
  assert.equal((await lost).code, 'forbidden');
});

test('a refusal by one alternative does not delay the attempt at the next', async (t) => {
  const [first, second] = await coordinators(t, 2);
  const timers = new ManualTimers();
  const agent = newAgent([first!.url, second!.url], { timers, areAlternatives: true });
  t.after(() => agent.leave());
  agent.start();
  const refusing = await first!.peer();
  await refusing.next('register');
  refusing.send(ERROR('forbidden', 'the token web is bound to context /a'));
  refusing.close(4403);
  await refusing.closed();
  while (timers.size !== 1) await new Promise(setImmediate);
  timers.advance(0);
  await (await second!.peer()).accept();
});

test('a drain ends when the node is refused', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await next(agent, 'registered');
  const drained = agent.drain();
  await peer.next('status');
  peer.send(ERROR('forbidden', 'the token web is bound to context /a'));
  assert.equal(await drained, 'unregistered');
});

for (const code of ['removed', 'not-this-node', 'of-a-later-version'])
  test(`4403 with ${code} ends the agent`, async (t) => {
    const [coordinator] = await coordinators(t);
    const agent = newAgent([coordinator!.url]);
    agent.start();
    const peer = await coordinator!.peer();
    await peer.next('register');
    const error = next(agent, 'error');
    peer.send(ERROR(code, 'the reason'));
    peer.close(4403);
    assert.deepEqual(await error, { code, message: 'the reason' });
    assert.ok(agent.isEnded);
  });

test('a temporary refusal is reported once and retried', async (t) => {
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

test('a refused token is reported, and read again for the next attempt', async (t) => {
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

test('an invalid message is ignored with a warning, an unknown message type without one', async (t) => {
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

test('a drain requests the status stopped and waits for drained', async (t) => {
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

test('a held status keeps the node enabled; the time of the drain begins when the hold is over', async (t) => {
  const [coordinator] = await coordinators(t);
  const timers = new ManualTimers();
  const agent = newAgent([coordinator!.url], { timers });
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await peer.next('heartbeat');
  let outcome = '';
  const drained = agent.drain({ reason: 'SIGTERM' }).then((ended) => {
    outcome = ended;
  });
  assert.equal((await peer.next('status')).holdMs, 8_000);
  const warned = next(agent, 'warning');
  peer.send({ type: 'budget', holdMs: 8_000, message: 'it is needed' });
  assert.deepEqual(await warned, { code: 'budget', message: 'it is needed' });
  assert.deepEqual([agent.status, agent.stopsByMs], ['enabled', undefined]);
  // The coordinator does not end the hold: the agent ends it 1 s later. A coordinator that is alive does so before.
  timers.advance(8_999);
  assert.equal(agent.status, 'enabled');
  timers.advance(1);
  assert.equal(agent.status, 'stopped');
  timers.advance(7_999);
  await Promise.resolve();
  assert.equal(outcome, '');
  timers.advance(1);
  await drained;
  assert.equal(outcome, 'deadline');
});

test('a coordinator that ends the hold confirms the drain as usual', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await peer.next('heartbeat');
  const drained = agent.drain({ holdMs: 60_000 });
  assert.equal((await peer.next('status')).holdMs, 60_000);
  for (const holdMs of [60_000, 0]) peer.send({ type: 'budget', holdMs, message: '' });
  peer.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
  assert.equal(agent.status, 'stopped');
});

test('with sessionsMs a drain requests draining first', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await peer.next('heartbeat');
  const drained = agent.drain({ sessionsMs: 300_000 });
  const first = await peer.next('status');
  assert.deepEqual([first.status, first.deadlineMs, first.holdMs], ['draining', 300_000, 8_000]);
  peer.send({ type: 'drained' });
  assert.equal((await peer.next('status')).status, 'stopped');
  peer.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
});

test('a second drain can only shorten the first; then its reason and times apply', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await peer.next('heartbeat');
  const drained = agent.drain({ sessionsMs: 300_000, reason: 'scaled down' });
  assert.equal((await peer.next('status')).status, 'draining');
  void agent.drain({ sessionsMs: 600_000, reason: 'too late' });
  void agent.drain({ sessionsMs: 5_000, reason: 'sooner' });
  const sooner = await peer.next('status');
  assert.deepEqual([sooner.status, sooner.deadlineMs, sooner.reason], ['draining', 5_000, 'sooner']);
  assert.equal(agent.drain({ reason: 'SIGTERM', deadlineMs: 3_000 }), drained);
  const stopped = await peer.next('status');
  assert.deepEqual([stopped.status, stopped.deadlineMs, stopped.reason], ['stopped', 3_000, 'SIGTERM']);
  peer.send({ type: 'drained' });
  assert.equal(await drained, 'drained');
});

test('a withdrawn drain enables the node, which can drain again', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator!.peer();
  await peer.accept();
  await peer.next('heartbeat');
  const drained = agent.drain({ sessionsMs: 300_000 });
  await peer.next('status');
  agent.withdrawDrain();
  assert.equal(await drained, 'withdrawn');
  assert.deepEqual(await peer.next('status'), { type: 'status', status: 'enabled' });
  assert.equal(agent.status, 'enabled');
  const again = agent.drain();
  assert.equal((await peer.next('status')).status, 'stopped');
  peer.send({ type: 'drained' });
  assert.equal(await again, 'drained');
});

test('a drain survives a lost connection: the status is sent again', async (t) => {
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

test('a drain ends at its deadline, and at once for a node that was never registered', async (t) => {
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

/** A drain of an agent that has lost its coordinator; `passes` advances its time in steps. */
async function drainAlone(t: { after(fn: () => Promise<void>): void }, options: Partial<AgentOptions>) {
  const coordinator = await startScriptedCoordinator();
  const timers = new ManualTimers();
  const agent = newAgent([coordinator.url], { timers, ...options });
  t.after(() => agent.leave());
  agent.start();
  const peer = await coordinator.peer();
  await peer.accept();
  await next(agent, 'registered');
  const lost = next(agent, 'disconnected');
  // The agent does not keep the process alive, and the test has no other handle.
  const awake = setInterval(() => {}, 1_000);
  await coordinator.close();
  await lost;
  clearInterval(awake);
  return { agent, timers };
}

/** Advances time until `promise` is settled, at most `withinMs`; returns the milliseconds it took. */
async function passes(timers: ManualTimers, promise: Promise<unknown>, withinMs: number): Promise<number> {
  let isSettled = false;
  void promise.then(() => {
    isSettled = true;
  });
  const startMs = timers.nowMs();
  while (!isSettled && timers.nowMs() - startMs < withinMs) {
    timers.advance(100);
    await new Promise(setImmediate);
  }
  return timers.nowMs() - startMs;
}

test('without a coordinator a drain ends when no request arrived for 1 s', async (t) => {
  const traffic = { arrived: 5, inFlight: 0 };
  const { agent, timers } = await drainAlone(t, { traffic: () => traffic });
  const drained = agent.drain();
  assert.notEqual(agent.stopsByMs, undefined);
  timers.advance(900);
  traffic.arrived += 1;
  timers.advance(900);
  traffic.inFlight = 1;
  timers.advance(3_000);
  traffic.inFlight = 0;
  const tookMs = await passes(timers, drained, 20_000);
  assert.ok(tookMs >= 900 && tookMs <= 1_100, String(tookMs));
  assert.equal(await drained, 'unregistered');
});

test('without a coordinator a drain with continuous requests ends at its deadline', async (t) => {
  let arrived = 0;
  const { agent, timers } = await drainAlone(t, { traffic: () => ({ arrived: arrived++, inFlight: 0 }) });
  const drained = agent.drain();
  assert.equal(await passes(timers, drained, 20_000), STOP_DEADLINE_MS);
  assert.equal(await drained, 'deadline');
});

test('without a coordinator the wait for sessions is at most that for requests', async (t) => {
  const { agent, timers } = await drainAlone(t, {});
  const drained = agent.drain({ sessionsMs: 300_000 });
  assert.equal(agent.stopsByMs, undefined);
  const tookMs = await passes(timers, drained, 20_000);
  assert.ok(tookMs >= STOP_DEADLINE_MS + 900 && tookMs <= STOP_DEADLINE_MS + 1_200, String(tookMs));
  assert.equal(await drained, 'unregistered');
});

test('an unregistered node that gets requests waits for them too', async (t) => {
  const timers = new ManualTimers();
  const agent = newAgent([await deadUrl()], { timers, traffic: () => ({ arrived: 1, inFlight: 0 }) });
  t.after(() => agent.leave());
  agent.start();
  const drained = agent.drain();
  const tookMs = await passes(timers, drained, 20_000);
  assert.ok(tookMs >= 900 && tookMs <= 1_100, String(tookMs));
  assert.equal(await drained, 'unregistered');
});

test('a program is registered only when it answers the probe', async (t) => {
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

test('a fault of the registration is a warning, and the node does not register', async (t) => {
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

/** Lets promises settle without a turn of the event loop, so that nothing can arrive on a socket. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await null;
}

test('all addresses of a name are tried, 1 s each, first the address that connected last', async (t) => {
  const [coordinator] = await coordinators(t);
  const timers = new ManualTimers();
  const lookedUp: string[] = [];
  const agent = newAgent([coordinator!.url.replace('127.0.0.1', 'coordinator.test')], {
    timers,
    lookUp: async (name) => {
      lookedUp.push(name);
      return ['127.0.0.2', '127.0.0.3', '127.0.0.1'];
    },
  });
  t.after(() => agent.leave());
  const warnings: string[] = [];
  agent.on('warning', ({ code }) => warnings.push(code));
  agent.start();
  for (let dead = 0; dead < 2; dead += 1) {
    await settled();
    timers.advance(CONNECT_TIMEOUT_MS);
  }
  const peer = await coordinator!.peer();
  await peer.accept();
  await next(agent, 'registered');
  const lost = next(agent, 'disconnected');
  peer.cut();
  await lost;
  timers.advance(0);
  await (await coordinator!.peer()).accept();
  assert.deepEqual(warnings, [], 'a name of which one address answers is not unreachable');
  assert.deepEqual(lookedUp, ['coordinator.test', 'coordinator.test'], 'once at the start, once after the loss');
});

test('a failed look-up, and different causes of several addresses, are one sentence', async (t) => {
  const [coordinator] = await coordinators(t);
  coordinator!.refuseWith(500);
  const url = new URL(coordinator!.url.replace('127.0.0.1', 'coordinator.test'));
  const answers = [
    async () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
    async () => ['127.0.0.2', '127.0.0.1'],
  ];
  const agent = newAgent([url.href], { lookUp: () => (answers.length > 1 ? answers.shift()! : answers[0]!)() });
  t.after(() => agent.leave());
  const first = next(agent, 'warning');
  agent.start();
  assert.deepEqual(await first, {
    code: 'no-coordinator',
    message: `cannot connect to the coordinator at ${url.origin}: name coordinator.test not found (ENOTFOUND); retrying`,
  });
  assert.match(
    (await next(agent, 'warning')).message,
    /: 127\.0\.0\.2 connection refused, 127\.0\.0\.1 not a Rollcall port: HTTP 500; retrying$/,
  );
  coordinator!.refuseWith(undefined);
  await (await coordinator!.peer()).accept();
});

test('a connection that closes before the registration is reported with its close code', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url]);
  t.after(() => agent.leave());
  const warning = next(agent, 'warning');
  agent.start();
  const peer = await coordinator!.peer();
  await peer.next('register');
  peer.close(1011);
  assert.match(
    (await warning).message,
    /the connection was closed before the registration \(close code 1011\); retrying$/,
  );
  await (await coordinator!.peer()).accept();
});

test('literal addresses are not looked up', async (t) => {
  const [coordinator] = await coordinators(t);
  const agent = newAgent([coordinator!.url], { lookUp: () => Promise.reject(new Error('looked up')) });
  t.after(() => agent.leave());
  agent.start();
  await (await coordinator!.peer()).accept();
});
