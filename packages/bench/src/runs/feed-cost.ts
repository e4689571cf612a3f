/** Cost of the feed from the registry to a worker, in isolation. */
import { Registry } from '@rollcall/core';
import {
  decodeFeedToWorker,
  type FeedChange,
  type FeedNode,
  frameWithLists,
  joinedJson,
  SNAPSHOT_PART_NODES,
} from '@rollcall/feed';
import {
  type NodeId,
  parseBalancerName,
  parseContextPath,
  parseGroupName,
  parseHostPattern,
  parseNodeId,
  parseNodeUrl,
  parseRoute,
} from '@rollcall/protocol';
import { BenchError } from '../bench-error.ts';
import { type Spread, spreadOf } from '../numbers/spread.ts';

/** Time to encode in the coordinator and to decode in a worker, milliseconds. */
export interface CodecCost {
  readonly encode: Spread;
  readonly decode: Spread;
}

export interface FeedCost {
  readonly nodes: number;
  /** All nodes. */
  readonly snapshot: CodecCost;
  /** Every tenth node has another weight. */
  readonly changes: CodecCost;
}

const RUNS = 20;
/** Runs before the measurement, because code that is not compiled yet is slower. */
const WARM_UP = 5;
const CHANGES_PER_MESSAGE = 1_000;

/** Measures the feed of `count` nodes of one balancer. Takes about 10 s with 10,000 nodes. */
export function measureFeed(count: number): FeedCost {
  const registry = new Registry({ startedAtMs: 0, maxNodes: Math.max(10_000, count) });
  const ids = Array.from({ length: count }, (_, i) => add(registry, i));
  return {
    nodes: count,
    snapshot: codecCost(() => snapshotFrames(registry.snapshot(10).nodes)),
    changes: codecCost(
      () => changesFrames(registry.takeChanges()),
      (run) => {
        for (let i = 0; i < ids.length; i += 10)
          registry.apply({ type: 'patch-node', id: ids[i]!, weight: 1 + (run % 7), by: 'bench' }, 10);
      },
    ),
  };
}

function codecCost(encode: () => readonly string[], prepare: (run: number) => void = () => undefined): CodecCost {
  const [encoded, decoded]: [number[], number[]] = [[], []];
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    prepare(run);
    const startMs = performance.now();
    const frames = encode();
    const encodedMs = performance.now();
    for (const text of frames) {
      const { type } = decodeFeedToWorker(text);
      if (type !== 'snapshot' && type !== 'changes') throw new BenchError(`a frame of the feed is ${type}`);
    }
    const decodedMs = performance.now();
    if (run < WARM_UP) continue;
    encoded.push(encodedMs - startMs);
    decoded.push(decodedMs - encodedMs);
  }
  return { encode: spreadOf(encoded)!, decode: spreadOf(decoded)! };
}

function snapshotFrames(nodes: readonly FeedNode[]): string[] {
  const parts = [...joinedJson(nodes, { maxItems: SNAPSHOT_PART_NODES })];
  return parts.map((items, part) =>
    frameWithLists({ type: 'snapshot', part, parts: parts.length } as { type: string }, { nodes: items }),
  );
}

function changesFrames(changes: readonly FeedChange[]): string[] {
  return [...joinedJson(changes, { maxItems: CHANGES_PER_MESSAGE })].map((items) =>
    frameWithLists({ type: 'changes', revision: 1 } as { type: string }, { changes: items }),
  );
}

/** Registers a node with the fields that the agent sends by default, and a load. */
function add(registry: Registry, number: number): NodeId {
  const id = parseNodeId(`node-${number + 1}`)!;
  const connection = number + 1;
  const node = {
    id,
    balancer: parseBalancerName('site')!,
    url: parseNodeUrl(`http://10.${number >> 16}.${(number >> 8) & 255}.${number & 255}:3000`)!,
    route: parseRoute(id)!,
    contexts: [{ path: parseContextPath('/')! }, { path: parseContextPath('/admin')! }],
    hosts: [parseHostPattern('site.example')!],
    weight: 1,
    group: parseGroupName(`zone-${number % 3}`)!,
    incarnation: 1,
    instance: 'a'.repeat(32),
    keepAliveMs: 5_000,
    cores: 4,
    loadHeader: true,
    meta: {},
  };
  // One owner for each node: the quota of one owner is smaller than the number of nodes.
  registry.apply(
    {
      type: 'register',
      node,
      connection,
      owner: `token-${number}`,
      kind: 'agent',
      reach: { isLocal: false, isAnywhere: false },
    },
    1,
  );
  registry.apply({ type: 'reachable', id, connection, isReachable: true, probe: 'proof' }, 2);
  registry.apply({ type: 'heartbeat', id, connection, load: (number % 100) / 100, sessions: number % 50 }, 3);
  return id;
}
