/** Rows C29–C31, C38 and C39: clocks that jump, a coordinator that does not run, and connections that are open and silent. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusResource } from '@rollcall/protocol';
import { until } from '../site/site.ts';
import { AgentClient } from './client.ts';
import { Target } from './target.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STEPPED = new URL('./programs/stepped-clock.mjs', import.meta.url).href;
/** Suspect after 900 ms, a lease of 6 s. */
const QUICK = ['--heartbeat', '300ms'];

async function start(t: TestContext, options: Parameters<typeof Target.start>[0] = {}): Promise<Target> {
  const target = await Target.start(options);
  t.after(() => target.close());
  return target;
}

/** Sends heartbeats until the test ends or `stop` is called. */
function beating(t: TestContext, agent: AgentClient): () => void {
  const timer = setInterval(() => agent.isOpen && agent.send({ type: 'heartbeat', load: 0.1 }), 200);
  const stop = (): void => clearInterval(timer);
  t.after(stop);
  return stop;
}

async function eventsOf(target: Target, id: string): Promise<readonly string[]> {
  return (await target.events()).filter(({ node }) => node === id).map(({ type }) => type);
}

/** Types of events of nodes that leave the cluster. */
async function losses(target: Target): Promise<readonly string[]> {
  return (await target.events()).map(({ type }) => type).filter((type) => type === 'gone' || type === 'down');
}

test('C29: nodes whose clocks are a day off register, stay, and are followed by later starts', async (t) => {
  const target = await start(t, { flags: QUICK });
  for (const [id, offMs] of [
    ['ahead', DAY_MS],
    ['behind', -DAY_MS],
  ] as const) {
    const agent = await target.agent();
    const incarnation = Date.now() + offMs;
    await agent.register(
      await target.node(id, { instance: 'a'.repeat(32), incarnation, balancer: id, hosts: [`${id}.test`] }),
    );
    const stop = beating(t, agent);
    await until(async () => (await target.resource(id))?.liveness === 'up', `${id} is not up`);
    const accepted = (await target.resource(id))!.incarnation;
    assert.ok(accepted <= Date.now() + 5 * 60_000, `${id} started at ${accepted}`);
    // A later process of the same host, after its clock has jumped back, when the first process sends no more heartbeats.
    stop();
    agent.close();
    await until(async () => (await target.resource(id))?.liveness !== 'up', `${id} is still up`);
    const next = await target.agent();
    const restarted = {
      instance: 'b'.repeat(32),
      incarnation: incarnation - DAY_MS,
      balancer: id,
      hosts: [`${id}.test`],
    };
    await next.register(await target.node(id, restarted));
    beating(t, next);
    await until(async () => (await target.resource(id))?.liveness === 'up', `${id} is not up again`);
  }
  await target.assertUnharmed();
});

test('C30: a jump of the coordinator’s clock by hours neither ends nor extends a lease', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-clock-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'clock');
  const target = await start(t, {
    flags: QUICK,
    environment: { CLOCK_FILE: file, NODE_OPTIONS: `--import=${STEPPED}` },
  });
  const offMs = async (): Promise<number> =>
    (await target.site.admin<StatusResource>('GET', '/v1/status')).body.nowUnixMs - Date.now();
  const url = await target.program();
  const put = { balancer: 'leased', hosts: ['leased.test'], url, ttlMs: 60_000 };
  await target.site.put('leased', put);
  const agent = await target.agent();
  await agent.register(await target.node('beating'));
  beating(t, agent);
  for (const stepMs of [HOUR_MS, -HOUR_MS, DAY_MS, -2 * DAY_MS]) {
    writeFileSync(file, String(stepMs));
    await until(async () => Math.abs((await offMs()) - stepMs) < HOUR_MS / 2, 'the clock has not jumped');
    await target.assertUnharmed();
  }
  assert.deepEqual(await losses(target), []);
  assert.equal((await target.resource('leased'))?.liveness, 'up');
  // The clock is two days back, and a lease of two seconds still ends.
  await target.site.put('short', {
    ...put,
    balancer: 'short',
    hosts: ['short.test'],
    url: await target.program(),
    ttlMs: 2_000,
  });
  await until(async () => (await target.resource('short'))?.liveness === 'gone', 'a short lease does not end');
});

test('C31: a control process that is stopped for longer than a lease expires no node', async (t) => {
  const target = await start(t, { flags: QUICK });
  let isSilent = false;
  const url = await target.program((_, response) => {
    if (!isSilent) response.end('stalled');
  });
  const agents = await Promise.all(['stalled', 'other'].map(() => target.agent()));
  const [stalled, other] = agents as [AgentClient, AgentClient];
  await stalled.register({ ...(await target.node('stalled')), url });
  await other.register(await target.node('other'));
  const stop = beating(t, stalled);
  beating(t, other);
  await until(async () => (await target.resource('stalled'))?.liveness === 'up', 'not up');
  isSilent = true;
  stop();
  target.site.signalControl('SIGSTOP');
  // The duration is the subject of the test: shorter than the 10 s after which the process is replaced.
  await sleep(8_000);
  target.site.signalControl('SIGCONT');
  isSilent = false;
  beating(t, stalled);
  await until(async () => (await target.resource('stalled'))?.liveness === 'up', 'not up again');
  assert.deepEqual(await losses(target), []);
  assert.ok(stalled.isOpen && other.isOpen);
  await target.assertUnharmed();
});

test('C38: a connection on which nothing arrives any more is cut, its node suspect first and gone after a lease', async (t) => {
  const target = await start(t, { flags: QUICK });
  const control = Number(new URL(target.site.controlUrl).port);
  let onward: net.Socket | undefined;
  let isCut = false;
  const relay = net.createServer((socket) => {
    socket.on('error', () => undefined);
    onward = net.connect(control, '127.0.0.1').on('error', () => undefined);
    onward.on('data', (octets: Buffer) => !isCut && socket.write(octets));
    socket.on('data', (octets: Buffer) => !isCut && onward!.write(octets));
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  t.after(() => {
    relay.close();
    onward?.destroy();
  });
  let isSilent = false;
  const url = await target.program((_, response) => {
    if (!isSilent) response.end('cut');
  });
  const agent = await AgentClient.connect(`http://127.0.0.1:${(relay.address() as net.AddressInfo).port}`);
  t.after(() => agent.close());
  await agent.register({ ...(await target.node('cut')), url });
  beating(t, agent);
  const other = await target.agent();
  await other.register(await target.node('other'));
  beating(t, other);
  await until(async () => (await target.resource('cut'))?.liveness === 'up', 'not up');
  await until(async () => (await target.resource('other'))?.liveness === 'up', 'the other is not up');
  const closed = once(onward!, 'close');
  isCut = true;
  isSilent = true;
  await until(async () => (await target.resource('cut'))?.liveness === 'missing', 'not gone');
  await closed;
  const types = await eventsOf(target, 'cut');
  assert.ok(types.indexOf('suspect') >= 0 && types.indexOf('suspect') < types.lastIndexOf('gone'), types.join());
  assert.deepEqual(await losses(target), ['gone']);
  await target.assertUnharmed();
});

test('C39: a node that answers pings and sends no heartbeat is suspect, keeps its port’s sessions and gets no new ones', async (t) => {
  const target = await start(t, { flags: QUICK });
  const agents: AgentClient[] = [];
  for (const id of ['hung', 'sound']) {
    const agent = await target.agent();
    await agent.register(await target.node(id));
    agents.push(agent);
  }
  const [hung, sound] = agents as [AgentClient, AgentClient];
  const stop = beating(t, hung);
  beating(t, sound);
  const bodies = async (): Promise<ReadonlySet<string>> => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => target.visit('attack.test')));
    return new Set(answers.map(({ body }) => body));
  };
  await until(async () => (await bodies()).has('hung'), 'not served');
  stop();
  let pongs = 0;
  hung.socket.on('pong', () => pongs++);
  const pings = setInterval(() => hung.socket.ping(), 200);
  t.after(() => clearInterval(pings));
  await until(async () => (await target.resource('hung'))?.liveness === 'suspect', 'not suspect');
  await until(async () => !(await bodies()).has('hung'), 'new sessions still go to it');
  const pongsBefore = pongs;
  await until(() => pongs > pongsBefore + 5, 'no pongs');
  assert.equal((await target.resource('hung'))?.liveness, 'suspect');
  beating(t, hung);
  await until(async () => (await bodies()).has('hung'), 'not served again');
  await target.assertUnharmed();
});
