/** Nodes that are gone without leave. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NodeId, parseNodeId } from '@rollcall/protocol';
import type { StoredRecord } from '../../store/store.ts';
import type { Command } from '../commands.ts';
import { registerCommand } from '../registration.fixture.ts';
import { Registry } from '../registry.ts';

const DAY_MS = 86_400_000;
const NOW_UNIX_MS = 1_800_000_000_000;

class Cluster {
  registry = new Registry({ startedAtMs: 0, learningMs: 0 });
  nowMs = 0;
  #connection = 0;
  readonly #stored = new Map<string, StoredRecord>();

  constructor() {
    this.apply({ type: 'worker-joined', worker: 'w' });
  }

  apply(command: Command): void {
    const outcome = this.registry.apply(command, this.nowMs);
    assert.ok(!('type' in outcome), JSON.stringify(outcome));
    const { write, remove } = this.registry.takeRecords(NOW_UNIX_MS + this.nowMs);
    for (const record of write) this.#stored.set(record.key, record);
    for (const key of remove) this.#stored.delete(key);
  }

  /** A node whose agent has connected and answers. Returns its id. */
  start(name: string, instance = 'a'): NodeId {
    this.#connection += 1;
    const id = parseNodeId(name)!;
    const url = `http://10.0.0.${1 + (Number(name.slice(1)) % 250)}:${1_000 + Number(name.slice(1))}`;
    const fields = { id: name, url, balancer: 'shop', connection: this.#connection, instance: instance.repeat(32) };
    this.apply(registerCommand({ ...fields, incarnation: instance.charCodeAt(0) }));
    this.apply({ type: 'reachable', id, connection: this.#connection, isReachable: true });
    return id;
  }

  /** Its connection closes, and its port refuses. */
  crash(id: NodeId): void {
    const { connection } = this.registry.node(id)!;
    this.apply({ type: 'disconnect', id, connection });
    this.apply({ type: 'ports-seen', worker: 'w', ports: [[id, 'refused']] });
    this.pass(1_000);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.apply({ type: 'tick' });
  }

  restart(): void {
    this.registry = new Registry({ startedAtMs: this.nowMs, learningMs: 0 });
    this.apply({ type: 'restore', records: [...this.#stored.values()], nowUnixMs: NOW_UNIX_MS + this.nowMs });
  }

  resource(id: NodeId) {
    return this.registry.resource(id, { nowMs: this.nowMs, nowUnixMs: NOW_UNIX_MS + this.nowMs });
  }
}

function crashed(): { readonly cluster: Cluster; readonly id: NodeId } {
  const cluster = new Cluster();
  const id = cluster.start('n1');
  cluster.crash(id);
  return { cluster, id };
}

test('a crashed node is missing, one that has left is gone', () => {
  const { cluster, id } = crashed();
  const other = cluster.start('n2');
  cluster.apply({ type: 'leave', id: other, connection: cluster.registry.node(other)!.connection });
  assert.equal(cluster.resource(id)?.liveness, 'missing');
  assert.equal(cluster.resource(other)?.liveness, 'gone');
  const { missing, gone } = cluster.registry.counts();
  assert.deepEqual({ missing, gone }, { missing: 1, gone: 1 });
});

test('a missing node is not forgotten by time, until an operator has acknowledged it', () => {
  const { cluster, id } = crashed();
  cluster.pass(3 * DAY_MS);
  assert.equal(cluster.resource(id)?.liveness, 'missing');
  cluster.apply({ type: 'acknowledge', target: { type: 'node', id }, by: 'ann', reason: 'ticket 4711' });
  cluster.pass(1_000);
  assert.equal(cluster.registry.node(id), undefined);
});

test('an acknowledged node stays for a day after its loss', () => {
  const { cluster, id } = crashed();
  cluster.apply({ type: 'acknowledge', target: { type: 'node', id }, by: 'ann', reason: 'ticket 4711' });
  cluster.pass(DAY_MS - 120_000);
  assert.deepEqual(cluster.resource(id)?.acknowledged, {
    by: 'ann',
    reason: 'ticket 4711',
    atUnixMs: NOW_UNIX_MS + 1_000,
  });
  cluster.pass(120_000);
  assert.equal(cluster.registry.node(id), undefined);
});

test('a node that returns is not missing, and its next loss is not acknowledged', () => {
  const { cluster, id } = crashed();
  cluster.apply({ type: 'acknowledge', target: { type: 'node', id }, by: 'ann' });
  cluster.start('n1', 'b');
  assert.equal(cluster.resource(id)?.liveness, 'up');
  assert.equal(cluster.registry.counts().missing, 0);
  cluster.crash(id);
  assert.equal(cluster.resource(id)?.acknowledged, undefined);
});

test('a restart keeps missing nodes and acknowledgements', () => {
  const { cluster, id } = crashed();
  cluster.pass(2 * DAY_MS);
  cluster.restart();
  assert.equal(cluster.resource(id)?.liveness, 'missing');
  assert.equal(cluster.registry.counts().missing, 1);
  const again = crashed();
  again.cluster.apply({ type: 'acknowledge', target: { type: 'node', id: again.id }, by: 'ann' });
  again.cluster.restart();
  assert.equal(again.cluster.resource(again.id)?.acknowledged?.by, 'ann');
});

test('at most 1,000 nodes are missing; the oldest go first', () => {
  const cluster = new Cluster();
  for (let i = 1; i <= 1_001; i++) cluster.crash(cluster.start(`n${i}`));
  assert.equal(cluster.registry.counts().missing, 1_000);
  assert.equal(cluster.registry.node(parseNodeId('n1')!), undefined);
});
