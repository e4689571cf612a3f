/** The proof of a live cluster, and the same without retries, where it has to fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startClient } from '../live-cluster/client-process.ts';
import { LiveCluster } from '../live-cluster/cluster.ts';
import { judge } from '../live-cluster/judge.ts';
import { BURST_MS, burstOf, planOf, proveLiveCluster } from '../live-cluster/proof.ts';

test('a live cluster loses no request and no session', { timeout: 180_000 }, (t) =>
  proveLiveCluster(t, {
    drainAtMs: 9_000,
    kills: 3,
    killsFromMs: 14_000,
    killControlAtMs: 27_000,
    leaveAtMs: 32_000,
    killAllAtMs: 38_000,
    durationMs: 46_000,
    requests: 8_000,
    sessions: 300,
  }),
);

test('without retries the same kills are seen, so the proof can fail', { timeout: 120_000 }, async (t) => {
  const cluster = await LiveCluster.start(['--retries', '0']);
  t.after(() => cluster.close());
  const fastify = await Promise.all(
    ['fastify-1', 'fastify-2', 'fastify-3'].map((id) => cluster.startSdk('fastify', id)),
  );
  const client = startClient(cluster, { ...planOf(8_000, ['fastify']), bursts: [burstOf(75)] });
  await client.next('started');
  await sleep(3_000);
  client.burst();
  await sleep(BURST_MS);
  await cluster.kill(fastify[0]!);
  await client.finish();
  const unfinished = new Map(
    [...cluster.unfinished()].filter(([, { instance }]) => instance === fastify[0]!.life.instance),
  );
  const verdict = judge(client.visits(), cluster.lives, unfinished);
  t.diagnostic(`failed without retries: ${verdict.failed.length} of ${verdict.requests}`);
  assert.ok(verdict.failed.length > 0);
});
