/** Contexts that no node can serve now, with the cause and what to do, as ../liveness/unserved.ts finds it. */
import type { BalancerName, ContextPath, HostPattern, UnservedContext } from '@rollcall/protocol';
import { type NodeFacts, whyUnserved } from '../liveness/unserved.ts';
import { contextStatus, type NodeView } from './node-record.ts';
import type { RegistryState } from './registry-state.ts';

/** Contexts listed; more would be of no use to a reader. */
const MAX_CONTEXTS = 1_000;

interface Context {
  readonly balancer: BalancerName;
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly nodes: NodeFacts[];
  /** A node is being probed for the first time: in a moment more is known. */
  isPending: boolean;
}

/**
 * In order of balancer, host and path. A context whose nodes are all gone is among them while one of these is remembered, unless
 * another balancer serves it now. None while restored nodes are expected back, and none with a node whose first probe is under way.
 */
export function unservedContexts(state: RegistryState): UnservedContext[] {
  if (state.learning.isOpen) return [];
  const unserved: UnservedContext[] = [];
  for (const { balancer, host, path, nodes, isPending } of contextsOf(state)) {
    const why = isPending ? undefined : whyUnserved(balancer, nodes);
    if (why === undefined) continue;
    unserved.push({ balancer, host, path, ...why });
    if (unserved.length === MAX_CONTEXTS) break;
  }
  return unserved.sort(inOrder);
}

function contextsOf(state: RegistryState): Iterable<Context> {
  const contexts = new Map<string, Context>();
  const serving = new Map<string, BalancerName>();
  for (const node of state.nodes.all()) {
    const { balancer, hosts, contexts: paths } = node.registration;
    for (const host of hosts)
      for (const { path } of paths) {
        const key = `${balancer} ${host} ${path}`;
        const context = contexts.get(key) ?? { balancer, host, path, nodes: [], isPending: false };
        contexts.set(key, context);
        context.nodes.push(factsOf(state, node, path));
        if (node.liveness === 'joining' && node.livenessReason === 'unprobed') context.isPending = true;
        if (holdsContexts(node)) serving.set(`${host} ${path}`, balancer);
      }
  }
  return [...contexts.values()].filter(({ balancer, host, path }) => {
    const holder = serving.get(`${host} ${path}`);
    return holder === undefined || holder === balancer;
  });
}

/** A static member that has never answered holds none. */
function holdsContexts({ kind, liveness }: NodeView): boolean {
  return liveness !== 'gone' && (kind !== 'static' || liveness !== 'joining');
}

function factsOf(state: RegistryState, node: NodeView, path: ContextPath): NodeFacts {
  return {
    id: node.id,
    liveness: node.liveness,
    goneCause: node.liveness === 'gone' ? node.goneCause : undefined,
    status: contextStatus(node, path),
    port: state.ports.best(node.id),
    isConnected: node.isConnected,
    hasAgent: node.kind === 'agent',
  };
}

function inOrder(one: UnservedContext, other: UnservedContext): number {
  return compare(one.balancer, other.balancer) || compare(one.host, other.host) || compare(one.path, other.path);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
