/** Explanation of the load of a node with the SDK and of a wrapped program, by the command and through the proxy. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { rollcall } from '@rollcall/agent';
import type { NodeExplanation } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

const noPython = existsSync('/usr/bin/python3') ? false : 'apt-get install python3';

async function explanationOf(site: Site, id: string): Promise<NodeExplanation> {
  return (await site.admin<NodeExplanation>('GET', `/v1/nodes/${id}/explain`)).body;
}

test('measurements of a node with the SDK are explained, and its load field is not sent to clients', async (t) => {
  const site = await Site.start(t, { flags: ['--workers', '2'] });
  let depth = 30;
  const server = createServer((_, response) => response.end('hello'));
  const node = rollcall({
    id: 'shop-1',
    balancer: 'shop',
    coordinator: site.controlUrl,
    signals: [],
    sessions: () => 7,
    log: () => {},
  });
  node.metric('queue', { capacity: 100, weight: 2 }, () => depth);
  t.after(async () => {
    await node.close();
    server.closeAllConnections();
    server.close();
  });
  node.attach(server);
  server.listen(0, '127.0.0.1');
  await until(async () => (await site.node('shop-1'))?.liveness === 'up', 'the node is not up');
  await site.isCurrent();

  const { port } = server.address() as AddressInfo;
  for (let i = 0; i < 20; i += 1) {
    const response = await fetch(`http://127.0.0.1:${site.proxyPort}/`);
    assert.equal(await response.text(), 'hello');
    assert.equal(response.headers.get('rollcall-load'), null);
  }
  assert.match(
    (await fetch(`http://127.0.0.1:${port}/`)).headers.get('rollcall-load') ?? '',
    /^\d+;[\d.]*;[\d.]+;7$/,
    'reported by the node itself',
  );

  const explained = async (): Promise<NodeExplanation> => explanationOf(site, 'shop-1');
  // Both workers report their sessions within a second, and the node its scales with the next heartbeat.
  const isTold = ({ metrics: [first, ...rest], sessionsSeenOnce }: NodeExplanation): boolean =>
    first?.capacity !== undefined && rest.some(({ name }) => name === 'latency') && sessionsSeenOnce === 7;
  await until(async () => isTold(await explained()), 'no report with scales and sessions since the first requests');
  const { metrics, sessions, sessionsSeenOnce, toldMs } = await explained();
  const queue = metrics.find(({ name }) => name === 'queue');
  assert.deepEqual([queue?.value, queue?.capacity, queue?.weight, queue?.part], [30, 100, 2, 0.3]);
  // The node reports 7, and the workers have seen 20 sessions once and none again.
  assert.deepEqual([sessions.count, sessionsSeenOnce, sessions.fairShare], [0, 7, 1]);
  assert.ok(toldMs >= 0 && toldMs < 5_000, String(toldMs));
  for (const name of ['eventLoop', 'cpu', 'memory', 'inFlight', 'latency', 'requests', 'sent'])
    assert.ok(
      metrics.some((metric) => metric.name === name),
      name,
    );

  depth = 95;
  await until(async () => (await explained()).load === 0.95, 'a queue that is nearly full is not reported');
  const { code, stdout } = await site.cli('explain', 'shop-1');
  assert.equal(code, 0);
  assert.match(stdout, /load 95 %, which is mostly queue at 95 of 100/);
  assert.match(stdout, /^\* queue +95 +100 +2 +mean +95 %/m);
  assert.ok(stdout.split('\n').length < 40, 'one screen');
  assert.equal((await site.json<NodeExplanation>('explain', 'shop-1')).id, 'shop-1');

  const nobody = await site.cli('explain', 'nobody');
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /there is no node nobody/);
  const both = await site.cli('explain', 'shop-1', '--url', 'http://localhost/');
  assert.equal(both.code, 2);
});

test('a wrapped program is measured from outside, with its descendants', { skip: noPython }, async (t) => {
  const site = await Site.start(t);
  const words = ['run', '--id', 'py', '--balancer', 'py', '--', '/usr/bin/python3', '-m', 'http.server', '{port}'];
  site.start([...words, '--bind', '127.0.0.1']);
  await until(async () => (await site.node('py'))?.liveness === 'up', 'the program is not up');
  const explained = async (): Promise<NodeExplanation> => explanationOf(site, 'py');
  await until(async () => (await explained()).metrics.some(({ capacity }) => capacity !== undefined), 'no scales');
  const { metrics, load, inFlight } = await explained();
  const valueNow = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN;
  assert.ok(load !== undefined && load < 1);
  assert.equal(inFlight, undefined, 'in-flight requests are counted by the proxy');
  assert.equal(valueNow('processes'), 1);
  assert.ok(valueNow('memory') > 0 && valueNow('openFiles') > 2 && valueNow('cpu') >= 0);
});
