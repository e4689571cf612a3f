import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type AgentEvents, NAMES_MS } from './agent.ts';
import type { ServiceRecord } from './coordinator-url.ts';
import { SERVICE_GAP_MS, SERVICE_TIMEOUT_MS, ServiceNames, serviceLookUp } from './service-names.ts';
import { ManualTimers } from './testing/manual-timers.ts';
import { startNameServer } from './testing/name-server.ts';
import { coordinators, newAgent, next } from './testing/test-agent.ts';

const URL_OF_NAME = 'ws://_rollcall._tcp.example.test/v1/agent';
const record = (port: number, priority = 0, name = '127.0.0.1'): ServiceRecord => ({
  name,
  port,
  priority,
  weight: 0,
});

/** Look-ups that the test answers. */
function names(url = URL_OF_NAME) {
  const timers = new ManualTimers();
  const asked: { resolve(records: readonly ServiceRecord[]): void; reject(error: unknown): void }[] = [];
  const events: string[] = [];
  const service = new ServiceNames(
    ['ws://own.test:1/v1/agent', url],
    () => new Promise((resolve, reject) => asked.push({ resolve, reject })),
    timers,
    () => 0.5,
    {
      onChange: () => void events.push('change'),
      onFault: (_, cause) => void events.push(cause),
      onIgnored: (_, ignored) => void events.push(`ignored ${ignored}`),
    },
  );
  const turn = () => new Promise(setImmediate);
  return { timers, asked, events, service, turn };
}

test('the addresses take the place of the name, and are kept when a look-up has none', async () => {
  const { timers, asked, events, service, turn } = names();
  service.refresh();
  assert.deepEqual(service.coordinators, ['ws://own.test:1/v1/agent']);
  assert.deepEqual(service.unresolved, [URL_OF_NAME]);
  asked[0]!.resolve([record(8, 1), record(7)]);
  await turn();
  const both = ['ws://own.test:1/v1/agent', 'ws://127.0.0.1:7/v1/agent', 'ws://127.0.0.1:8/v1/agent'];
  assert.deepEqual(service.coordinators, both);
  for (const answer of ['none', 'failed', 'equal'] as const) {
    timers.advance(SERVICE_GAP_MS);
    service.refresh();
    if (answer === 'none') asked.at(-1)!.resolve([]);
    else if (answer === 'failed') asked.at(-1)!.reject(new Error('SERVFAIL'));
    else asked.at(-1)!.resolve([record(7), record(8, 1)]);
    await turn();
    assert.deepEqual([service.coordinators, events], [both, ['change']], answer);
  }
  assert.equal(asked.length, 4);
  assert.equal(timers.size, 0);
});

test('one look-up at a time, at most one a second; a name without addresses is looked up again by itself', async () => {
  const { timers, asked, events, service, turn } = names();
  for (let i = 0; i < 3; i += 1) service.refresh();
  assert.equal(asked.length, 1);
  asked[0]!.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
  await turn();
  service.refresh();
  assert.equal(asked.length, 1);
  assert.deepEqual(events, ['look-up of the SRV records failed (ENOTFOUND)']);
  timers.advance(SERVICE_GAP_MS + 250);
  assert.equal(asked.length, 2);
  timers.advance(SERVICE_TIMEOUT_MS);
  assert.equal(events.at(-1), 'look-up of the SRV records timed out after 10 s');
  asked[1]!.resolve([record(7)]);
  await turn();
  assert.deepEqual(service.unresolved, [URL_OF_NAME], 'too late');
  service.close();
  assert.equal(timers.size, 0);
});

test('after the end nothing is reported', async () => {
  const { asked, events, service, turn, timers } = names();
  service.refresh();
  service.close();
  asked[0]!.resolve([record(7)]);
  await turn();
  assert.deepEqual([events, timers.size], [[], 0]);
});

test('a target outside of the domain of a wss name is reported once', async () => {
  const { asked, events, service, turn, timers } = names('wss://_rollcall._tcp.example.test/v1/agent');
  for (let i = 0; i < 2; i += 1) {
    service.refresh();
    asked[i]!.resolve([record(443, 0, 'evil.test'), record(443, 1, 'a.example.test')]);
    await turn();
    timers.advance(SERVICE_GAP_MS);
  }
  assert.deepEqual(events, ['ignored wss://evil.test:443/v1/agent', 'change']);
});

async function nameServer(t: TestContext) {
  const server = await startNameServer();
  t.after(() => server.close());
  return server;
}

test('an agent finds coordinators by the SRV records of a real name server', async (t) => {
  const server = await nameServer(t);
  const list = await coordinators(t, 3, true);
  const ports = list.map(({ url }) => Number(new URL(url).port));
  const name = '_rollcall._tcp.example.test';
  const timers = new ManualTimers();
  const agent = newAgent([URL_OF_NAME], {
    timers,
    lookUp: async () => ['127.0.0.1'],
    serviceLookUp: serviceLookUp([server.address]),
  });
  t.after(() => agent.leave());
  const warnings: AgentEvents['warning'][] = [];
  agent.on('warning', (notice) => void warnings.push(notice));
  const warned = next(agent, 'warning');
  agent.start();
  assert.deepEqual(await warned, {
    code: 'no-coordinator',
    message:
      'cannot connect to the coordinator at ws://_rollcall._tcp.example.test: look-up of the SRV records failed (ENOTFOUND); retrying',
  });
  server.records.set(
    name,
    ports.slice(0, 2).map((port) => record(port, 0, 'a.example.test')),
  );
  timers.advance(SERVICE_GAP_MS);
  const peers = await Promise.all(list.slice(0, 2).map((coordinator) => coordinator.peer()));
  for (const peer of peers) {
    await peer.accept();
    await peer.next('heartbeat');
  }
  assert.equal(list[2]!.connections, 0);
  // A coordinator is added: found within 30 s.
  server.records.set(
    name,
    ports.map((port) => record(port, 0, 'a.example.test')),
  );
  for (let passedMs = 0; passedMs < NAMES_MS; passedMs += 5_000) {
    for (const [index, peer] of peers.entries()) {
      const told = next(agent, 'warning');
      peer.send({ type: 'error', code: 'bad-field', message: `to ${index} at ${passedMs}` });
      await told;
    }
    timers.advance(5_000);
  }
  await (await list[2]!.peer()).accept();
  assert.deepEqual(
    warnings.filter(({ code }) => code !== 'bad-field').map(({ code }) => code),
    ['no-coordinator'],
  );
});

test('the records are looked up again when a coordinator is lost', async (t) => {
  const list = await coordinators(t, 2, true);
  const [first, second] = list.map(({ url }) => Number(new URL(url).port));
  let records = [record(first!)];
  const agent = newAgent([URL_OF_NAME], { serviceLookUp: async () => records, timers: new SteppingTimers() });
  t.after(() => agent.leave());
  agent.start();
  const peer = await list[0]!.peer();
  await peer.accept();
  await peer.next('heartbeat');
  records = [record(second!)];
  list[0]!.refuseWith(503);
  peer.cut();
  await (await list[1]!.peer()).accept();
});

/** Each reading of the clock is a second later, so that no look-up is too early. Timers run at once when awaited. */
class SteppingTimers extends ManualTimers {
  #readings = 0;

  override nowMs(): number {
    this.#readings += 1;
    return super.nowMs() + this.#readings * SERVICE_GAP_MS;
  }
}
