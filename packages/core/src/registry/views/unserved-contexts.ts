/** Contexts that no node can serve now, with cause and remedy from ../liveness/unserved.ts. */
import type { BalancerName, ContextPath, HostPattern, UnservedContext } from '@rollcall/protocol';
import {
  contextKey,
  type HostedContext,
  hostedContexts,
  type RememberedContext,
} from '../../contexts/hosted-context.ts';
import { breaksBudget, type Disruption, type EligibleCounts, eligibleCounts } from '../../liveness/eligible-left.ts';
import { type ContextFacts, canServe, type NodeFacts, whyUnserved } from '../../liveness/unserved.ts';
import { contextStatus, isEndingItself, isStandby, type NodeView } from '../node/node-record.ts';
import type { RegistryState } from '../registry-state.ts';
import { AnsweringContexts } from './answering-contexts.ts';

/** Largest number of contexts listed: more are of no use to a reader. */
const MAX_CONTEXTS = 1_000;

interface Context {
  readonly balancer: BalancerName;
  readonly host: HostPattern;
  readonly path: ContextPath;
  /** Empty once one node can serve: the others do not matter then. */
  readonly nodes: NodeFacts[];
  isServed: boolean;
  /** A node is being probed for the first time: its state is known in a moment. */
  isPending: boolean;
}

/**
 * In order of balancer, host and path. A context whose nodes are all gone is listed while one of these is remembered, unless
 * another balancer serves it now. Empty while restored nodes are expected back. Contexts with a node in its first probe are left out.
 */
export function unservedContexts(state: RegistryState): UnservedContext[] {
  if (state.learning.isOpen) return [];
  const unserved: UnservedContext[] = [];
  const answering = new AnsweringContexts(state);
  for (const { balancer, host, path, nodes, isServed, isPending } of contextsOf(state)) {
    const why = isPending || isServed ? undefined : whyUnserved({ balancer, host, path }, nodes);
    if (why === undefined) continue;
    const instead = answering.instead({ host, path });
    const until =
      instead === undefined
        ? ''
        : `; until then balancer ${instead.balancer} gets its requests, at ${placeText(instead, host)}`;
    unserved.push({
      balancer,
      host,
      path,
      ...why,
      message: why.message + until,
      ...(instead && { answeredBy: instead }),
    });
    if (unserved.length === MAX_CONTEXTS) break;
  }
  return unserved.sort(inOrder);
}

/** `/`, or `/ on *` if the host is another one than `host`. */
function placeText(context: HostedContext, host: HostPattern): string {
  return context.host === host ? context.path : `${context.path} on ${context.host}`;
}

/** Contexts that only gone nodes have served, forgotten by an operator or not, with the instant at which the last of these nodes left. */
export function abandonedContexts(state: RegistryState): readonly RememberedContext[] {
  const served = new Set<string>();
  const abandoned = new Map<string, RememberedContext>();
  for (const { liveness, registration, goneAtMs = 0 } of state.nodes.all())
    for (const { host, path } of hostedContexts(registration)) {
      const key = contextKey({ host, path });
      if (liveness !== 'gone') served.add(key);
      else if (!(goneAtMs < (abandoned.get(key)?.sinceMs ?? 0)))
        abandoned.set(key, { host, path, balancer: registration.balancer, sinceMs: goneAtMs });
    }
  return [...abandoned].filter(([key]) => !served.has(key)).map(([, context]) => context);
}

function contextsOf(state: RegistryState): Iterable<Context> {
  const contexts = new Map<string, Context>();
  const serving = new Map<string, BalancerName>();
  const take = (node: NodeView): void => {
    const { balancer } = node.registration;
    const isHolding = holdsContexts(node);
    for (const { host, path } of hostedContexts(node.registration)) {
      const key = `${balancer} ${contextKey({ host, path })}`;
      let context = contexts.get(key);
      if (context === undefined) {
        context = { balancer, host, path, nodes: [], isServed: false, isPending: false };
        contexts.set(key, context);
      }
      if (isHolding) serving.set(contextKey({ host, path }), balancer);
      if (context.isServed) continue;
      const facts = factsOf(state, node, { host, path });
      if (canServe(facts)) {
        context.isServed = true;
        context.nodes.length = 0;
      } else context.nodes.push(facts);
      if (node.liveness === 'joining' && node.livenessReason === 'unprobed') context.isPending = true;
    }
  };
  // Present nodes first: gone nodes, which may be thousands, matter only where no present node serves.
  for (const node of state.nodes.all()) if (node.liveness !== 'gone') take(node);
  for (const node of state.nodes.all()) if (node.liveness === 'gone') take(node);
  return [...contexts.values()].filter(({ balancer, host, path, nodes }) => {
    if (state.remembered.isForgotten({ host, path }) && nodes.every(({ liveness }) => liveness === 'gone'))
      return false;
    const holder = serving.get(contextKey({ host, path }));
    return holder === undefined || holder === balancer;
  });
}

/** A context for which a change leaves fewer nodes than the budget of its balancer. */
export interface BrokenBudget extends ContextFacts, EligibleCounts {
  readonly minEligible: number;
}

/** Contexts whose budget a change breaks, in order of balancer, host and path. */
export function brokenBudgets(state: RegistryState, change: Disruption): BrokenBudget[] {
  const affected = new Map<string, ContextFacts>();
  for (const id of [...change.lost, ...(change.standby ?? [])]) {
    const node = state.nodes.get(id);
    if (node === undefined || node.liveness === 'gone') continue;
    const { balancer } = node.registration;
    for (const { host, path } of hostedContexts(node.registration))
      affected.set(`${balancer} ${contextKey({ host, path })}`, { balancer, host, path });
  }
  return [...affected.values()]
    .map(({ balancer, host, path }) => {
      const counts = eligibleCounts(factsInContext(state, balancer, host, path), change);
      return { balancer, host, path, minEligible: state.balancer(balancer).minEligible, ...counts };
    })
    .filter((context) => breaksBudget(context, context.minEligible))
    .sort(inOrder);
}

function* factsInContext(
  state: RegistryState,
  balancer: BalancerName,
  host: HostPattern,
  path: ContextPath,
): Iterable<NodeFacts> {
  for (const node of state.nodes.inBalancer(balancer)) {
    const { hosts, contexts } = node.registration;
    const isServing = contexts.some((one) => one.path === path && (one.hosts ?? hosts).includes(host));
    if (isServing) yield factsOf(state, node, { host, path });
  }
}

/** True when the node holds its contexts. A static member that has never answered holds no context. */
function holdsContexts({ kind, liveness }: NodeView): boolean {
  return liveness !== 'gone' && (kind !== 'static' || liveness !== 'joining');
}

/** What decides whether the node can serve the context. */
export function factsOf(state: RegistryState, node: NodeView, context: HostedContext): NodeFacts {
  return {
    id: node.id,
    liveness: node.liveness,
    goneCause: node.liveness === 'gone' ? node.goneCause : undefined,
    status: contextStatus(node, context),
    port: state.ports.best(node.id),
    isConnected: node.isConnected,
    hasAgent: node.kind === 'agent',
    isEndingItself: isEndingItself(node),
    isStandby: isStandby(node),
  };
}

function inOrder(one: ContextFacts, other: ContextFacts): number {
  return compare(one.balancer, other.balancer) || compare(one.host, other.host) || compare(one.path, other.path);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
