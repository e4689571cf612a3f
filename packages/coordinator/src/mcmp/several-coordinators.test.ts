/** A node of mod_cluster speaks to each proxy that it knows. Two coordinators on one memory take it for one node, and never refuse it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type MemoryMedium, memorySharedMedium, memoryStore, type Store } from '@rollcall/core';
import { type EventResource, type NodeResource, parseNodeId } from '@rollcall/protocol';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { type McmpClient, mcmpClient, program, until } from './mcmp-client.fixture.ts';

const ID = parseNodeId('n1')!;

interface Place {
  readonly setup: TestCoordinator;
  readonly client: McmpClient;
}

interface PlaceOptions {
  readonly stateDir?: string;
  /** Nodes, and shared records. */
  readonly files?: readonly [Store, Store];
}

/** A file that is kept when its coordinator ends. */
function keptFile(): Store {
  return { ...memoryStore(), close: async () => undefined };
}

async function start(t: TestContext, medium: MemoryMedium, name: string, options: PlaceOptions = {}): Promise<Place> {
  const { files = [memoryStore(), memoryStore()], ...others } = options;
  const setup = await startTestCoordinator({
    name,
    mcmp: { listen: { host: '127.0.0.1', port: 0 } },
    store: files[0],
    sharing: { store: medium.open(), file: files[1], refusesStart: true },
    ...others,
  });
  t.after(() => setup.close());
  const client = await mcmpClient(setup);
  t.after(() => client.close());
  return { setup, client };
}

/** A program that ends with the test. */
async function programOf(t: TestContext): Promise<{ readonly port: number; close(): void }> {
  const { server, port } = await program();
  const close = (): void => void server.close();
  t.after(close);
  return { port, close };
}

/** Sends the message to all coordinators at once. */
async function sendAll(places: readonly Place[], method: string, fields = '', target = '/'): Promise<string[]> {
  return Promise.all(places.map(({ client }) => client.send(method, `JVMRoute=n1${fields}`, target)));
}

/** What a Java node sends at a tick in which it is not known. */
async function register(places: readonly Place[], port: number): Promise<void> {
  const steps = [
    ['CONFIG', `&Host=127.0.0.1&Port=${port}&StickySessionForce=No&Type=http`],
    ['ENABLE-APP', '&Alias=localhost&Context=%2Fapp'],
    ['STATUS', '&Load=80'],
  ] as const;
  for (const [method, fields] of steps)
    for (const answer of await sendAll(places, method, fields)) assert.match(answer, /^HTTP\/1\.1 200 /, answer);
}

function instanceAt({ setup }: Place): string {
  return setup.coordinator.registry.node(ID)!.registration.instance;
}

async function untilAll(places: readonly Place[], isSo: (node: NodeResource) => boolean): Promise<NodeResource[]> {
  return Promise.all(places.map(({ setup }) => until(setup, 'n1', isSo)));
}

const isUp = ({ liveness }: NodeResource): boolean => liveness === 'up';
const isGone = ({ liveness }: NodeResource): boolean => liveness === 'gone';

/** Events about conflicts: a refused connection, or claims that two coordinators had accepted apart. */
async function conflicts(places: readonly Place[]): Promise<string[]> {
  const found: string[] = [];
  for (const { setup } of places) {
    const { events } = (await setup.api('/v1/events')).json<{ events: EventResource[] }>();
    for (const { type, message } of events)
      if (type === 'connection-refused' || type === 'claim-conflict') found.push(`${type} ${message}`);
  }
  return found;
}

test('a node that registers with both at once is one process at both, also after it has left and is back', async (t) => {
  const medium = memorySharedMedium();
  const places = [await start(t, medium, 'a'), await start(t, medium, 'b')];
  const { port } = await programOf(t);
  const instances = new Set<string>();
  for (let boots = 1; boots <= 3; boots++) {
    await register(places, port);
    for (const { load, heardBy } of await untilAll(places, (node) => isUp(node) && node.load !== undefined))
      assert.deepEqual([load?.toFixed(1), heardBy], ['0.2', undefined], 'each has a connection of its own');
    assert.equal(instanceAt(places[0]!), instanceAt(places[1]!));
    instances.add(instanceAt(places[0]!));
    await sendAll(places, 'REMOVE-APP', '', '/*');
    await untilAll(places, isGone);
  }
  assert.equal(instances.size, 3, 'a process that has left does not return');
  assert.deepEqual(await conflicts(places), []);
});

test('a node that speaks to one coordinator is up at the other, and joins it later as the same process', async (t) => {
  const medium = memorySharedMedium();
  const [a, b] = [await start(t, medium, 'a'), await start(t, medium, 'b')];
  const { port } = await programOf(t);
  await register([a], port);
  const [, atB] = await untilAll([a, b], isUp);
  assert.deepEqual(atB?.heardBy, ['a']);
  await register([b], port);
  await until(b.setup, 'n1', ({ heardBy, load }) => heardBy === undefined && load !== undefined);
  assert.equal(instanceAt(a), instanceAt(b));
  assert.deepEqual(await conflicts([a, b]), []);
});

for (const isKept of [true, false])
  test(`a coordinator that starts again ${isKept ? 'with' : 'without'} its files knows the node as the other does`, async (t) => {
    const medium = memorySharedMedium();
    const files = isKept ? ([keptFile(), keptFile()] as const) : undefined;
    const [a, b] = [await start(t, medium, 'a', files && { files }), await start(t, medium, 'b')];
    const { port } = await programOf(t);
    // Not the first process of this id: its name follows from another one.
    await register([a, b], port);
    await sendAll([a, b], 'REMOVE-APP', '', '/*');
    await register([a, b], port);
    await untilAll([a, b], isUp);
    const instance = instanceAt(b);
    await a.setup.coordinator.close();
    const again = await start(t, medium, isKept ? 'a' : 'a2', files && { files, stateDir: a.setup.stateDir });
    await until(again.setup, 'n1', isUp);
    const [known] = await sendAll([again], 'STATUS', '&Load=50');
    assert.match(known!, /Type: MEM\r\n/, 'its book is empty');
    await sendAll([again], 'CONFIG', `&Host=127.0.0.1&Port=${port}&StickySessionForce=No&Type=http`);
    await sendAll([again], 'DISABLE-APP', '&Alias=localhost&Context=%2Fapp');
    const { contexts } = await until(again.setup, 'n1', ({ heardBy }) => heardBy === undefined);
    assert.deepEqual(contexts, [{ path: '/app', status: 'draining' }]);
    await register([again], port);
    assert.equal((await until(again.setup, 'n1', isUp)).contexts[0]?.status, 'enabled');
    assert.deepEqual([instanceAt(again), instanceAt(b)], [instance, instance]);
    assert.deepEqual(await conflicts([again, b]), []);
  });

test('a node that is back at another port replaces its dead self at both', async (t) => {
  const medium = memorySharedMedium();
  const places = [await start(t, medium, 'a'), await start(t, medium, 'b')];
  const [first, second] = [await programOf(t), await programOf(t)];
  await register(places, first.port);
  await untilAll(places, isUp);
  first.close();
  await register(places, second.port);
  for (const { url } of await untilAll(places, (node) => isUp(node) && node.url.endsWith(`:${second.port}`)))
    assert.equal(url, `http://127.0.0.1:${second.port}`);
  assert.equal(instanceAt(places[0]!), instanceAt(places[1]!));
  assert.equal((await conflicts(places)).length, 2, 'each has ended its own connection of the dead process');
});

test('a living node of the other coordinator is not replaced from another address', async (t) => {
  const medium = memorySharedMedium();
  const [a, b] = [await start(t, medium, 'a'), await start(t, medium, 'b')];
  const [first, second] = [await programOf(t), await programOf(t)];
  await register([a], first.port);
  await untilAll([a, b], isUp);
  const [answer] = await sendAll([b], 'CONFIG', `&Host=127.0.0.1&Port=${second.port}&Type=http`);
  assert.match(answer!, /MEM: Node with "n1" JVMRoute already exists/);
  assert.match((await until(b.setup, 'n1', isUp)).url, new RegExp(`:${first.port}$`));
});

test('a node that one coordinator resets stays in the book of the other, which takes over the new process', async (t) => {
  const medium = memorySharedMedium();
  const [a, b] = [await start(t, medium, 'a'), await start(t, medium, 'b')];
  const { port } = await programOf(t);
  await register([a, b], port);
  await untilAll([a, b], isUp);
  await sendAll([a], 'REMOVE-APP', '', '/*');
  await register([a], port);
  await until(b.setup, 'n1', () => instanceAt(b) === instanceAt(a));
  const [answer] = await sendAll([b], 'STATUS', '&Load=60');
  assert.match(answer!, /State=OK/, 'it does not have to register again');
  await until(b.setup, 'n1', (node) => isUp(node) && node.heardBy === undefined && node.load?.toFixed(1) === '0.4');
  assert.equal(instanceAt(b), instanceAt(a));
  await sendAll([a, b], 'REMOVE-APP', '', '/*');
  await untilAll([a, b], isGone);
});
