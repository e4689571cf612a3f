import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeAgentMessage,
  type FailingCopy,
  parseBalancerName,
  parseNodeId,
  type RegisterMessage,
} from '@rollcall/protocol';
import type { Event } from './events.ts';
import { Registry } from './registry.ts';

const SHOP = parseBalancerName('shop')!;
const TAKEN: FailingCopy = { copy: 3, attempts: 1, cause: 'port 3003 is taken', retryMs: 500 };
const ENDED: FailingCopy = { copy: 4, attempts: 1, cause: 'the program has ended with 1' };

/** A registry with nodes of wrappers, each a connection of its own. */
class Cluster {
  readonly registry = new Registry({ startedAtMs: 0 });
  readonly #connections = new Map<string, number>();
  nowMs = 0;

  /** `wrapper`: a letter; `undefined` for a node without a wrapper. */
  join(id: string, wrapper: string | undefined, kept: number, owner = 'join', host = `host-${wrapper}`): void {
    const connection = this.#connections.size + 1;
    const copies = wrapper && { wrapper: wrapper.repeat(32), kept, most: 8 };
    const port = 3_000 + connection;
    const instance = connection.toString(16).padStart(32, '0');
    const node = { id, balancer: 'shop', url: `http://10.0.0.5:${port}`, copies, instance, process: { host } };
    const read = (decodeAgentMessage(JSON.stringify({ type: 'register', node })) as RegisterMessage).node;
    const registration = { incarnation: connection, instance: '', ...read };
    this.registry.apply({ type: 'register', node: registration, connection, owner, kind: 'agent' }, this.nowMs);
    this.registry.apply({ type: 'reachable', id: read.id, connection, isReachable: true }, this.nowMs);
    this.#connections.set(id, connection);
  }

  /** The numbers of copies in events of a heartbeat with this report. */
  beat(id: string, ...failing: readonly FailingCopy[]): string {
    this.nowMs += 10;
    const about = { id: parseNodeId(id)!, connection: this.#connections.get(id)! };
    const report = failing.length > 0 ? { failing } : {};
    const events = this.registry.apply({ type: 'heartbeat', ...about, ...report }, this.nowMs) as readonly Event[];
    return events
      .flatMap((event) => (event.type === 'copies-failing' ? event.failing.map(({ copy }) => copy) : []))
      .join(' ');
  }

  leave(id: string): void {
    const about = { id: parseNodeId(id)!, connection: this.#connections.get(id)! };
    this.registry.apply({ type: 'leave', ...about }, this.nowMs);
  }

  drain(id: string): void {
    const target = { type: 'node', id: parseNodeId(id)! } as const;
    this.registry.apply({ type: 'operator-status', target, status: 'draining', by: 'op' }, this.nowMs);
  }

  requestDrain(id: string): void {
    const about = { id: parseNodeId(id)!, connection: this.#connections.get(id)! };
    this.registry.apply({ type: 'node-status', ...about, status: 'draining' }, this.nowMs);
  }

  scale(count: number): (string | boolean)[] {
    const events = this.registry.apply({ type: 'scale', balancer: SHOP, count, by: 'op' }, this.nowMs);
    return (events as readonly Event[]).flatMap((event) =>
      event.type === 'scale' ? [`${event.id}=${event.count}`, event.isRepeat] : [],
    );
  }

  get text(): string | undefined {
    const copies = this.registry.balancerResource(SHOP)?.copies;
    if (copies === undefined) return undefined;
    const { wanted, kept, wrappers, up, drained, failing } = copies;
    const list = failing.map(({ copy, host }) => `${copy}@${host}`).join(' ');
    return `${wanted} wanted, ${kept} kept by ${wrappers}, ${up} up, ${drained} drained: ${list}`;
  }
}

function wrapperOfTwo(): Cluster {
  const cluster = new Cluster();
  cluster.join('a1', 'a', 4);
  cluster.join('a2', 'a', 4);
  return cluster;
}

/** The steps after two of four copies are up, and the resource after them. */
const RESOURCES: readonly [name: string, steps: (cluster: Cluster) => void, text: string | undefined][] = [
  ['nothing is reported', () => {}, '4 wanted, 4 kept by 1, 2 up, 0 drained: '],
  [
    'a node reports failing copies',
    (c) => c.beat('a1', TAKEN, ENDED),
    '4 wanted, 4 kept by 1, 2 up, 0 drained: 3@host-a 4@host-a',
  ],
  [
    'another node of the wrapper reports later',
    (c) => [c.beat('a1', TAKEN, ENDED), c.beat('a2', TAKEN)],
    '4 wanted, 4 kept by 1, 2 up, 0 drained: 3@host-a',
  ],
  ['none fails any more', (c) => [c.beat('a1', TAKEN), c.beat('a1')], '4 wanted, 4 kept by 1, 2 up, 0 drained: '],
  [
    'the node that reported has left',
    (c) => [c.beat('a1', TAKEN), c.leave('a1')],
    '4 wanted, 4 kept by 1, 1 up, 0 drained: ',
  ],
  ['the wrapper has left', (c) => [c.beat('a1', TAKEN), c.leave('a1'), c.leave('a2')], undefined],
  ['an operator has drained a node', (c) => c.drain('a1'), '4 wanted, 4 kept by 1, 1 up, 1 drained: '],
  ['a node is leaving', (c) => c.requestDrain('a1'), '4 wanted, 4 kept by 1, 1 up, 0 drained: '],
  [
    'two wrappers fail',
    (c) => [c.join('b1', 'b', 2), c.beat('b1', TAKEN), c.beat('a1', ENDED)],
    '6 wanted, 6 kept by 2, 3 up, 0 drained: 4@host-a 3@host-b',
  ],
  [
    'a node without a wrapper reports',
    (c) => [c.join('x', undefined, 0), c.beat('x', TAKEN)],
    '5 wanted, 4 kept by 1, 3 up, 0 drained: ',
  ],
  [
    'a wrapper of another token reports',
    (c) => [c.join('g', 'c', 9, 'guest'), c.beat('g', TAKEN)],
    '5 wanted, 4 kept by 1, 3 up, 0 drained: ',
  ],
  [
    'a wrapper of another token names this one',
    (c) => [c.join('g', 'a', 9, 'guest'), c.beat('g', TAKEN)],
    '5 wanted, 4 kept by 1, 3 up, 0 drained: ',
  ],
];

for (const [name, steps, text] of RESOURCES)
  void test(`copies of a balancer: ${name}`, () => {
    const cluster = wrapperOfTwo();
    steps(cluster);
    assert.equal(cluster.text, text);
  });

void test('each cause is one event of the wrapper, whichever node reports it, until no copy fails', () => {
  const cluster = wrapperOfTwo();
  assert.equal(cluster.beat('a1', TAKEN), '3');
  assert.equal(cluster.beat('a1', { ...TAKEN, attempts: 2 }), '');
  assert.equal(cluster.beat('a2', { ...TAKEN, attempts: 2 }), '');
  assert.equal(cluster.beat('a2', TAKEN, ENDED), '', 'a second event within ten seconds waits');
  cluster.nowMs += 10_000;
  assert.equal(cluster.beat('a2', TAKEN, ENDED), '4');
  assert.equal(cluster.beat('a1', TAKEN, ENDED), '');
  cluster.nowMs += 10_000;
  assert.deepEqual([cluster.beat('a1'), cluster.beat('a2')], ['', '']);
  assert.equal(cluster.beat('a2', TAKEN), '3');
});

void test('causes that change with each attempt are one event in ten seconds', () => {
  const cluster = wrapperOfTwo();
  let events = 0;
  for (let i = 0; i < 3_000; i++)
    if (cluster.beat(`a${1 + (i % 2)}`, { ...TAKEN, cause: `cause ${i}` }) !== '') events++;
  assert.equal(events, 3);
});

void test('a wrapper with failing copies is informed again of the same number, and its earlier failures are forgotten', () => {
  const cluster = wrapperOfTwo();
  assert.deepEqual(cluster.scale(4), []);
  cluster.beat('a1', TAKEN);
  cluster.beat('a2', TAKEN);
  assert.deepEqual(cluster.scale(4), ['a1=4', true]);
  assert.equal(cluster.text, '4 wanted, 4 kept by 1, 2 up, 0 drained: ');
  assert.deepEqual(cluster.scale(4), []);
  assert.deepEqual(cluster.scale(3), ['a1=3', false]);
});

void test('a node that an operator has drained counts', () => {
  const cluster = wrapperOfTwo();
  cluster.scale(2);
  cluster.drain('a1');
  assert.deepEqual(cluster.scale(2), []);
  assert.deepEqual(cluster.scale(3), ['a1=3', false]);
});
