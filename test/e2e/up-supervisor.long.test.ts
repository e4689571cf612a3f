/** Guarantees of the supervisor: dead processes are replaced without a refused client, and no process outlives it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { LiveCluster } from '../live-cluster/cluster.ts';

/** Status and time of a GET on a connection of its own. */
function get(port: number): Promise<{ readonly status: number; readonly tookMs: number }> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, headers: { host: 'files.test' }, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, tookMs: performance.now() - startMs }));
    })
      .on('error', reject)
      .end();
  });
}

test('a killed worker is replaced, and earlier connections wait and are served', {
  timeout: 180_000,
}, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  await cluster.startFiles('files-1');
  while ((await get(cluster.proxyPort)).status !== 200) await new Promise((resolve) => setImmediate(resolve));
  for (let round = 0; round < 3; round++) {
    await cluster.killWorker();
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(cluster.proxyPort)));
    for (const { status } of answers) assert.equal(status, 200);
    t.diagnostic(
      `served ${Math.round(Math.max(...answers.map(({ tookMs }) => tookMs)))} ms after the kill at the latest`,
    );
    await followsFeed(cluster);
  }
});

test('with the control process dead as well the new worker serves from the saved snapshot', {
  timeout: 180_000,
}, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  await cluster.startFiles('files-1');
  while ((await get(cluster.proxyPort)).status !== 200) await new Promise((resolve) => setImmediate(resolve));
  await snapshotSaved(cluster);
  const workerKilled = cluster.killWorker();
  await Promise.all([workerKilled, workerKilled.then(() => cluster.killControl())]);
  assert.equal((await get(cluster.proxyPort)).status, 200);
});

test('a second up on the same state, and a taken port, are refused with the holder named', {
  timeout: 180_000,
}, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  const second = await cluster.bareCli(
    'up',
    '--proxy',
    '127.0.0.1:0',
    '--control',
    '127.0.0.1:0',
    '--state-dir',
    cluster.stateDir,
  );
  assert.equal(second.code, 1);
  assert.match(second.stderr, /is in use by process \d+/);
  const holder = net.createServer().listen(0, '127.0.0.1');
  t.after(() => holder.close());
  await once(holder, 'listening');
  const { port } = holder.address() as net.AddressInfo;
  for (const flag of ['--proxy', '--control']) {
    const other = flag === '--proxy' ? '--control' : '--proxy';
    const taken = await cluster.bareCli(
      'up',
      flag,
      `127.0.0.1:${port}`,
      other,
      '127.0.0.1:0',
      '--state-dir',
      `${cluster.dir}/other`,
    );
    assert.equal(taken.code, 1);
    assert.match(taken.stderr, new RegExp(`port ${port} is taken by .*pid ${process.pid}`));
  }
});

test('SIGTERM ends everything in order, with exit code 0', { timeout: 180_000 }, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  assert.deepEqual(await cluster.endUp(), { code: 0, left: [] });
});

test('when the supervisor is killed its children end by themselves', { timeout: 180_000 }, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  await cluster.killSupervisorAlone();
});

/** Until a worker follows the feed again. */
async function followsFeed(cluster: LiveCluster): Promise<void> {
  for (;;) {
    const response = await fetch(`${cluster.controlUrl}/v1/status`);
    const { workers } = (await response.json()) as { workers: readonly { isCurrent: boolean }[] };
    if (workers.some(({ isCurrent }) => isCurrent)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Until the worker's snapshot file knows the node; it is written at most once a second. */
async function snapshotSaved(cluster: LiveCluster): Promise<void> {
  while (!cluster.savedSnapshot().includes('files-1')) await new Promise((resolve) => setTimeout(resolve, 20));
}
