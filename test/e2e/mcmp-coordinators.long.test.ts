/** Nodes of mod_cluster that register with two coordinators on one Redis: one node at both, also while one of them starts again. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { freePort } from '@rollcall/core/testing';
import type { EventResource, NodeResource, NodesResource } from '@rollcall/protocol';
import { findRedisServer, HOW_TO_INSTALL, startRedisServer } from '@rollcall/store-redis/testing';
import { sendMcmp } from '../site/mcmp-message.ts';
import { ServletProgram, visit } from '../site/servlet-program.ts';
import { startUp, type Up, until } from './up.ts';

const binary = findRedisServer();
const CONFLICTS = ['connection-refused', 'claim-conflict', 'superseded'];

const node = async (up: Up, id: string): Promise<NodeResource | undefined> =>
  (await up.api<NodesResource>('GET', '/v1/nodes?all')).nodes.find((one) => one.id === id);

async function assertNoConflicts(...ups: readonly Up[]): Promise<void> {
  for (const up of ups) {
    const { events } = await up.api<{ events: EventResource[] }>('GET', '/v1/events');
    assert.deepEqual(
      events.filter(({ type }) => CONFLICTS.includes(type)),
      [],
    );
  }
}

async function startProgram(t: TestContext, route: string, ...mcmpPorts: number[]): Promise<ServletProgram> {
  const program = await ServletProgram.start(route, ...mcmpPorts);
  t.after(() => program.close());
  return program;
}

test('nodes that speak to two coordinators are the same at both, and a restart of one refuses none', {
  timeout: 240_000,
  ...(binary === undefined && { skip: HOW_TO_INSTALL }),
}, async (t) => {
  const redis = await startRedisServer(binary!);
  t.after(() => redis.close());
  const [portA, portB] = [await freePort(), await freePort()];
  const start = async (name: string, port: number): Promise<Up> => {
    const up = await startUp('--store', redis.url, '--name', name, '--mcmp', `127.0.0.1:${port}`);
    t.after(() => up.close());
    return up;
  };
  const [a, b] = [await start('a', portA), await start('b', portB)];
  const [one, two] = [await startProgram(t, 'tomcat1', portA, portB), await startProgram(t, 'tomcat2', portA, portB)];
  // The ticks of both nodes, and a node that registers with one coordinator only.
  await Promise.all([one.register(80), two.register(60)]);
  const alone = await startProgram(t, 'alone', portA);
  await alone.register(50);
  for (const up of [a, b])
    for (const { route } of [one, two, alone]) {
      const isUp = async (): Promise<boolean> => (await node(up, route))?.liveness === 'up';
      await until(isUp, `${route} to be up`);
      const session = `JSESSIONID=X.${route}`;
      await until(async () => (await visit(up.proxyUrl, '/app/', session)).body === route, `an answer of ${route}`);
    }
  assert.deepEqual(
    [(await node(b, 'tomcat1'))?.heardBy, (await node(b, 'alone'))?.heardBy, (await node(a, 'alone'))?.heardBy],
    [undefined, ['a'], undefined],
  );

  // A drain by an operator is in force at both, and stays when the node registers again.
  await b.api('POST', '/v1/nodes/tomcat2/drain', { force: true });
  await two.register(60);
  for (const up of [a, b]) {
    assert.equal((await node(up, 'tomcat2'))?.contexts[0]?.status, 'draining');
    assert.equal((await visit(up.proxyUrl, '/app/', 'JSESSIONID=X.tomcat2')).body, 'tomcat2');
  }
  await assertNoConflicts(a, b);

  // While b starts again, a serves all; b knows the nodes before they register with it, and takes them for the same ones.
  await b.close();
  assert.equal((await visit(a.proxyUrl, '/app/', 'JSESSIONID=X.tomcat1')).body, 'tomcat1');
  const again = await start('b2', portB);
  for (const { route } of [one, two, alone])
    await until(async () => (await visit(again.proxyUrl, '/app/', `JSESSIONID=X.${route}`)).body === route, route);
  assert.match(await sendMcmp(portB, { method: 'STATUS', route: 'tomcat1', fields: '&Load=80' }), /Type: MEM/);
  await Promise.all([one.register(80), two.register(60)]);
  await until(async () => (await node(again, 'tomcat1'))?.heardBy === undefined, 'tomcat1 to be connected');
  assert.equal((await node(again, 'tomcat2'))?.contexts[0]?.status, 'draining');

  // Both leave everywhere.
  for (const port of [portA, portB]) await sendMcmp(port, { method: 'REMOVE-APP', route: 'tomcat1', target: '/*' });
  for (const up of [a, again])
    await until(async () => (await node(up, 'tomcat1'))?.liveness === 'gone', 'tomcat1 to be gone');
  await assertNoConflicts(a, again);
});
