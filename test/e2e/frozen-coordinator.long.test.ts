/** A node with two real coordinators, of which one is frozen: while it serves, and while it ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { RollcallNode, systemTimers } from '@rollcall/agent';
import { LiveCluster } from '../live-cluster/cluster.ts';

/** 6 s of silence, and two checks. */
const LEFT_WITHIN_MS = 8_500;
/** The deadline of requests, and the close. */
const ENDS_WITHIN_MS = 9_500;

test('a frozen coordinator is left after 6 s while the other one stays, and delays the end no longer than its deadline', {
  timeout: 180_000,
}, async (t) => {
  const clusters = await Promise.all([LiveCluster.start(), LiveCluster.start()]);
  t.after(() => Promise.all(clusters.map((cluster) => cluster.close())));
  const [first, second] = clusters as [LiveCluster, LiveCluster];
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const environment = { ROLLCALL_URL: clusters.map(({ controlUrl }) => controlUrl).join(',') };
  const options = { id: 'frozen-1', balancer: 'frozen', signals: [], log: () => {} };
  const node = new RollcallNode(options, environment, systemTimers());
  const events: string[] = [];
  const lost: (() => void)[] = [];
  node.on('disconnected', ({ message }) => void events.push(message));
  node.on('warning', ({ code, message }) => {
    events.push(message);
    if (code === 'connection-lost') for (const resolve of lost) resolve();
  });
  node.attach(server);
  t.after(async () => {
    await node.close();
    server.closeAllConnections();
    server.close();
  });
  for (const cluster of clusters) await cluster.untilUp('frozen-1');
  const statusAt = async (cluster: LiveCluster) => (await fetch(`http://127.0.0.1:${cluster.proxyPort}/`)).status;
  for (const cluster of clusters) while ((await statusAt(cluster)) !== 200) await pause(20);

  const frozenAtMs = performance.now();
  const left = new Promise<void>((resolve) => lost.push(resolve));
  first.freezeControl();
  await left;
  const leftMs = performance.now() - frozenAtMs;
  assert.ok(leftMs > 5_000 && leftMs < LEFT_WITHIN_MS, `left after ${leftMs} ms`);
  assert.match(
    events.join('\n'),
    /^lost the coordinator at \S+ \(silent for 6000 ms\); 1 other coordinator is connected/,
  );
  assert.ok(node.isRegistered);
  for (const cluster of clusters) assert.equal(await statusAt(cluster), 200);
  await first.untilUp('frozen-1');

  second.freezeControl();
  const endsAtMs = performance.now();
  await node.drain();
  await node.close();
  const endMs = performance.now() - endsAtMs;
  assert.ok(endMs < ENDS_WITHIN_MS, `ended after ${endMs} ms`);
  assert.notEqual(await statusAt(first), 200, 'the other coordinator knows that the node has left');
});
