/** Contexts that no node can serve now, with the cause and what to do, as ../liveness/unserved.ts finds it. */
import type { BalancerName, ContextPath, HostPattern, UnservedContext } from '@rollcall/protocol';
import { canServe, type NodeFacts, whyUnserved } from '../liveness/unserved.ts';
import { contextStatus, type NodeView } from './node-record.ts';
import type { RegistryState } from './registry-state.ts';

/** Contexts listed; more would be of no use to a reader. */
const MAX_CONTEXTS = 1_000;

interface Context {
  readonly balancer: BalancerName;
  readonly host: HostPattern;
  readonly path: ContextPath;
  /** None once one of them can serve: the others do not matter then. */
  readonly nodes: NodeFacts[];
  isServed: boolean;
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
  for (const { balancer, host, path, nodes, isServed, isPending } of contextsOf(state)) {
    const why = isPending || isServed ? undefined : whyUnserved(balancer, nodes);
    if (why === undefined) continue;
    unserved.push({ balancer, host, path, ...why });
    if (unserved.length === MAX_CONTEXTS) break;
  }
  return unserved.sort(inOrder);
}

/** Contexts that only gone nodes have served, whether an operator has had them forgotten or not. */
export function abandonedContexts(state: RegistryState): readonly Pick<Context, 'host' | 'path'>[] {
  const served = new Set<string>();
  const abandoned = new Map<string, Pick<Context, 'host' | 'path'>>();
  for (const { liveness, registration } of state.nodes.all())
    for (const host of registration.hosts)
      for (const { path } of registration.contexts)
        if (liveness === 'gone') abandoned.set(`${host} ${path}`, { host, path });
        else served.add(`${host} ${path}`);
  return [...abandoned].filter(([key]) => !served.has(key)).map(([, context]) => context);
}

function contextsOf(state: RegistryState): Iterable<Context> {
  const contexts = new Map<string, Context>();
  const serving = new Map<string, BalancerName>();
  const take = (node: NodeView): void => {
    const { balancer, hosts, contexts: paths } = node.registration;
    const isHolding = holdsContexts(node);
    for (const host of hosts)
      for (const { path } of paths) {
        const key = `${balancer} ${host} ${path}`;
        let context = contexts.get(key);
        if (context === undefined) {
          context = { balancer, host, path, nodes: [], isServed: false, isPending: false };
          contexts.set(key, context);
        }
        if (isHolding) serving.set(`${host} ${path}`, balancer);
        if (context.isServed) continue;
        const facts = factsOf(state, node, path);
        if (canServe(facts)) {
          context.isServed = true;
          context.nodes.length = 0;
        } else context.nodes.push(facts);
        if (node.liveness === 'joining' && node.livenessReason === 'unprobed') context.isPending = true;
      }
  };
  // Those that are present first: nodes that are gone, which may be thousands, matter only where none serves.
  for (const node of state.nodes.all()) if (node.liveness !== 'gone') take(node);
  for (const node of state.nodes.all()) if (node.liveness === 'gone') take(node);
  return [...contexts.values()].filter(({ balancer, host, path, nodes }) => {
    if (state.remembered.isForgotten({ host, path }) && nodes.every(({ liveness }) => liveness === 'gone'))
      return false;
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
