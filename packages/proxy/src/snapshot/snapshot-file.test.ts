import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { feedBalancer, feedNode, rememberedContext, rememberedRoute, TestCluster } from '../cluster/cluster.fixture.ts';
import { ManualDelays } from '../feed/delay.fixture.ts';
import {
  aged,
  decodeSnapshot,
  isTrusted,
  readSnapshotFile,
  removeLeftovers,
  type SavedSnapshot,
  writeSnapshotFile,
} from './snapshot-file.ts';
import { SnapshotSaver } from './snapshot-saver.ts';

const saved: SavedSnapshot = {
  writtenAtUnixMs: 1_000_000,
  epoch: 'e1',
  revision: 7,
  snapshot: {
    nodes: [feedNode('a', { group: 'eu' })],
    balancers: [feedBalancer()],
    remembered: [rememberedRoute('b', true)],
    contexts: [rememberedContext('/lost', 1_000)],
  },
};

async function inFolder(run: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rollcall-snapshot-'));
  try {
    await run(join(folder, 'worker.json'), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

void test('a written file is read again, and only its owner may read it', () =>
  inFolder(async (path, folder) => {
    assert.equal(await readSnapshotFile(path), undefined);
    await writeSnapshotFile(path, saved);
    assert.deepEqual(await readSnapshotFile(path), saved);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), ['worker.json']);
  }));

void test('a file that is no snapshot is reported in a sentence', () =>
  inFolder(async (path, folder) => {
    await writeFile(path, '{"format":1,"nodes":[{"id":"a b"}]}');
    assert.equal(typeof (await readSnapshotFile(path)), 'string');
    assert.equal(typeof (await readSnapshotFile(folder)), 'string');
    for (const text of [
      '',
      '[]',
      'null',
      '{}',
      '{"format":2}',
      '{"format":1,"nodes":{}}',
      JSON.stringify({ format: 1, ...saved, ...saved.snapshot }).slice(0, -5),
    ])
      assert.equal(typeof decodeSnapshot(text), 'string', text);
  }));

void test('drafts of killed workers are removed, drafts of running workers and other files stay', () =>
  inFolder(async (path, folder) => {
    const stays = [`${path}.${process.ppid}.tmp`, `${path}.tmp`, `${path}.12x.tmp`, join(folder, 'other.4194305.tmp')];
    for (const file of [...stays, `${path}.4194305.tmp`, `${path}.${process.pid}.tmp`]) await writeFile(file, '');
    await removeLeftovers(path);
    assert.deepEqual((await readdir(folder)).map((file) => join(folder, file)).sort(), stays.sort());
    await removeLeftovers(join(folder, 'absent', 'snapshot.json'));
  }));

void test('a file is trusted for 60 s, and never when its time is in the future', () => {
  assert.equal(isTrusted(saved, 1_000_000), true);
  assert.equal(isTrusted(saved, 1_060_000), true);
  assert.equal(isTrusted(saved, 1_060_001), false);
  assert.equal(isTrusted(saved, 999_999), false);
});

function saver(path: string) {
  const cluster = new TestCluster();
  const delays = new ManualDelays();
  const warnings: string[] = [];
  let writes = 0;
  const log = { info: () => {}, warn: (_: object, message: string) => warnings.push(message) };
  const nowUnixMs = (): number => ++writes;
  return {
    cluster,
    delays,
    warnings,
    writes: () => writes,
    saver: new SnapshotSaver({
      path,
      view: cluster.view,
      delay: delays.delay,
      nowMs: () => cluster.clock.nowMs(),
      nowUnixMs,
      log,
    }),
  };
}

const settle = async (delays: ManualDelays): Promise<void> => {
  while (delays.size === 0) await new Promise((resolve) => setImmediate(resolve));
};

void test('a change is saved at once, a burst once more a second later, and an unchanged cluster every 15 s', () =>
  inFolder(async (path) => {
    const { cluster, delays, saver: own, writes } = saver(path);
    own.saveSoon();
    assert.equal(writes(), 0, 'the cluster is not known yet');
    cluster.fill([feedNode('a')]);
    own.saveSoon();
    for (let i = 0; i < 5; i++) own.saveSoon();
    assert.equal(writes(), 1);
    await settle(delays);
    delays.advance(999);
    assert.equal(writes(), 1);
    delays.advance(1);
    assert.equal(writes(), 2);
    await settle(delays);
    delays.advance(14_999);
    assert.equal(writes(), 2);
    delays.advance(1);
    assert.equal(writes(), 3);
    await own.close();
    const read = await readSnapshotFile(path);
    assert.ok(typeof read === 'object' && read.snapshot.nodes[0]?.id === 'a' && read.writtenAtUnixMs === 3);
  }));

void test('close writes a due file, and nothing is written after it', () =>
  inFolder(async (path) => {
    const { cluster, delays, saver: own, writes } = saver(path);
    cluster.fill([feedNode('a')]);
    own.saveSoon();
    cluster.fill([feedNode('b')]);
    own.saveSoon();
    await own.close();
    own.saveSoon();
    assert.deepEqual([writes(), delays.size], [2, 0]);
    assert.match(await readFile(path, 'utf8'), /"id":"b"/);
  }));

void test('a folder that cannot be written is logged once', () =>
  inFolder(async (_, folder) => {
    const { cluster, delays, saver: own, warnings } = saver(join(folder, 'missing', 'worker.json'));
    cluster.fill([feedNode('a')]);
    own.saveSoon();
    await settle(delays);
    delays.advance(1_000);
    own.saveSoon();
    await own.close();
    assert.deepEqual(warnings, ['the snapshot file cannot be written']);
  }));

void test('the ages in a saved snapshot grow by the time since it was written, and the time of a drain shrinks', () => {
  const nodes = [
    feedNode('a', { ageMs: 10, loadAgeMs: 20, drainMs: 5_000 }),
    feedNode('b'),
    feedNode('c', { drainMs: 10 }),
  ];
  const before = { nodes, balancers: [], remembered: [], contexts: [rememberedContext('/lost', 500)] };
  const { nodes: later, contexts } = aged(before, 1_000);
  const [a, b, c] = later;
  assert.equal(contexts?.[0]?.emptyMs, 1_500);
  assert.deepEqual([a?.ageMs, a?.loadAgeMs, b?.ageMs, b?.loadAgeMs], [1_010, 1_020, undefined, undefined]);
  assert.deepEqual([a?.drainMs, b?.drainMs, c?.drainMs], [4_000, undefined, 0]);
});
