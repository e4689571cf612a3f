/** For every state that the registry accepts, a worker accepts the frames of the feed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, Registry } from '@rollcall/core';
import {
  decodeFeedToWorker,
  type FeedBalancer,
  type FeedNode,
  type FeedRememberedRoute,
  MAX_FEED_BYTES,
} from '@rollcall/feed';
import {
  type ContextEntry,
  MAX_CONTEXTS,
  MAX_PLACES_LENGTH,
  type NodeRegistration,
  parseBalancerName,
  parseContextPath,
  parseGroupName,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
  placesLength,
} from '@rollcall/protocol';
import fc from 'fast-check';
import { changesFrames } from './feed-server.ts';
import { snapshotFrames } from './snapshot-frames.ts';

const NAME = 64;
const QUOTAS = { maxNodes: 10_000, maxContexts: 4_096 };

/** A name of the maximum length, different for each number. */
const longName = (prefix: string, number: number): string => `${prefix}${number}-`.padEnd(NAME, 'x');
const longPath = (number: number): string => `/${number}-`.padEnd(256, 'p');
const longHost = (number: number): string =>
  [`h${number}`.padEnd(63, 'h'), 'a'.repeat(63), 'b'.repeat(63), 'c'.repeat(61)].join('.');
/** Cookie names of the maximum length, with characters that JSON escapes. */
const cookies = (number: number): string[] => Array.from({ length: 16 }, (_, i) => `${number}-${i}`.padEnd(NAME, '`'));
const parameters = (number: number): string[] =>
  Array.from({ length: 16 }, (_, i) => `${number}-${i}`.padEnd(NAME, '~'));

interface Shape {
  readonly nodes: number;
  readonly balancers: number;
  readonly contexts: number;
  readonly hosts: number;
  /** Each context has them for itself. */
  readonly hasOwnHosts: boolean;
  readonly isLong: boolean;
  readonly leaves: number;
}

function registration(number: number, { balancers, contexts, hosts, hasOwnHosts, isLong }: Shape): NodeRegistration {
  const balancer = number % balancers;
  const id = isLong ? longName('n', number) : `n${number}`;
  return {
    id: parseNodeId(id)!,
    balancer: parseBalancerName(isLong ? longName('b', balancer) : `b${balancer}`)!,
    url: parseNodeUrl(`http://${isLong ? longHost(number) : 'h'}:${1_024 + (number % 60_000)}`)!,
    route: parseRoute(id)!,
    ...placesOf(contexts, hosts, { balancer, hasOwnHosts, isLong }),
    weight: 0.001,
    loadHeader: true,
    meta: {},
    ...(isLong && {
      group: parseGroupName(longName('g', 0))!,
      publicUrl: `https://${'u'.repeat(500)}`,
      readyPath: `/${'"'.repeat(255)}`,
      keepAliveMs: 3_599_999,
      cores: 1_023.999_999_999_9,
      sticky: { mode: 'rewrite' as const, cookies: cookies(balancer), parameters: parameters(balancer) },
    }),
  };
}

/** As many contexts, up to the bound of a registration. */
function placesOf(
  contexts: number,
  hosts: number,
  { balancer, hasOwnHosts, isLong }: Pick<Shape, 'hasOwnHosts' | 'isLong'> & { readonly balancer: number },
): Pick<NodeRegistration, 'contexts' | 'hosts'> {
  const all = Array.from({ length: hosts }, (_, i) => parseHostPattern(isLong ? longHost(i) : `h${i}`)!);
  const places = { contexts: [] as ContextEntry[], hosts: hasOwnHosts ? [parseHostPattern('*')!] : all };
  for (let i = 0; i < contexts; i++) {
    const number = balancer * MAX_CONTEXTS + i;
    const path = parseContextPath(isLong ? longPath(number) : `/${number}`)!;
    places.contexts.push({ path, ...(hasOwnHosts && { hosts: all }) });
    if (placesLength(places) > MAX_PLACES_LENGTH) places.contexts.pop();
  }
  return places;
}

/** The content of all frames, and the size of the largest. */
function read(frames: Iterable<string>): {
  readonly largest: number;
  readonly balancers: FeedBalancer[];
  readonly remembered: FeedRememberedRoute[];
  readonly nodes: FeedNode[];
  readonly changes: unknown[];
  readonly revisions: number[];
} {
  const all = {
    largest: 0,
    balancers: [] as FeedBalancer[],
    remembered: [] as FeedRememberedRoute[],
    nodes: [] as FeedNode[],
    changes: [] as unknown[],
    revisions: [] as number[],
  };
  let next = 0;
  for (const text of frames) {
    all.largest = Math.max(all.largest, Buffer.byteLength(text));
    const message = decodeFeedToWorker(text);
    if (message.type === 'snapshot') {
      assert.equal(message.part, next++);
      all.balancers.push(...message.balancers);
      all.remembered.push(...message.remembered);
      all.nodes.push(...message.nodes);
    } else if (message.type === 'changes') {
      all.changes.push(...message.changes);
      all.revisions.push(message.revision);
    } else assert.fail(`a worker refuses it: ${JSON.stringify(message)}`);
  }
  return all;
}

function applied(registry: Registry, command: Command, nowMs: number): void {
  const outcome = registry.apply(command, nowMs);
  if ('type' in outcome) assert.fail(outcome.message);
}

/** A registry of this shape; the first `leaves` nodes have left again. */
function built(shape: Shape): Registry {
  const registry = new Registry({ startedAtMs: 0, ...QUOTAS });
  for (let i = 0; i < shape.nodes; i++) {
    const node = { ...registration(i, shape), instance: 'f'.repeat(32), incarnation: Number.MAX_SAFE_INTEGER };
    // Quotas of one token are not tested here.
    applied(registry, { type: 'register', node, connection: i + 1, owner: `t${i}`, kind: 'agent' }, 1);
    const head = { id: node.id, connection: i + 1 };
    applied(registry, { type: 'reachable', ...head, isReachable: true, probe: 'head' }, 2);
    applied(
      registry,
      { type: 'heartbeat', ...head, load: 0.123_456_789_012_345_6, sessions: 9_007_199_254_740_991 },
      3,
    );
    if (i < shape.leaves) applied(registry, { type: 'leave', ...head }, 4);
  }
  return registry;
}

function check(shape: Shape): void {
  const registry = built(shape);
  const snapshot = registry.snapshot(5);
  const reported = read(snapshotFrames(snapshot));
  assert.ok(reported.largest < MAX_FEED_BYTES, `${reported.largest} bytes`);
  assert.deepEqual(
    [reported.balancers.length, reported.remembered.length, reported.nodes.length],
    [snapshot.balancers.length, snapshot.remembered.length, snapshot.nodes.length],
  );
  assert.deepEqual(reported.nodes, snapshot.nodes);
  assert.deepEqual(reported.nodes.at(-1)?.id, snapshot.nodes.at(-1)?.id);
  const changes = registry.takeChanges();
  const news = read(changesFrames(changes, 1, registry.revision));
  assert.ok(news.largest < MAX_FEED_BYTES, `${news.largest} bytes`);
  assert.equal(news.changes.length, changes.length);
  assert.equal(news.revisions.at(-1), registry.revision);
  assert.ok(news.revisions.slice(0, -1).every((revision) => revision === 1));
}

test('frames of any accepted state stay below the bound', () => {
  const shape = fc.record({
    nodes: fc.integer({ min: 1, max: 150 }),
    balancers: fc.integer({ min: 1, max: 40 }),
    contexts: fc.integer({ min: 1, max: MAX_CONTEXTS }),
    hasOwnHosts: fc.boolean(),
    hosts: fc.integer({ min: 1, max: 16 }),
    isLong: fc.boolean(),
    leaves: fc.integer({ min: 0, max: 150 }),
  });
  fc.assert(fc.property(shape, check), { numRuns: 15 });
});

test('so do those of the largest members: hosts, contexts, names, hints and routes', () => {
  const largest = { nodes: 250, balancers: 1, contexts: MAX_CONTEXTS, hosts: 16, leaves: 0 };
  check({ ...largest, hasOwnHosts: false, isLong: true });
  check({ ...largest, nodes: 130, hasOwnHosts: true, isLong: false });
  check({ nodes: 1_500, balancers: 900, contexts: 1, hosts: 1, hasOwnHosts: true, isLong: true, leaves: 1_400 });
});

test('an empty registry is one part', () => {
  assert.equal([...snapshotFrames(new Registry({ startedAtMs: 0 }).snapshot(0))].length, 1);
});
