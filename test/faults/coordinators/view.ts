/** What a coordinator shows of the cluster, in a form that can be compared. */
import type { BalancersResource, NodeResource, NodesResource, StatusResource } from '@rollcall/protocol';
import type { CoordinatorProcess } from './coordinator-process.ts';

export interface View {
  readonly nodes: ReadonlyMap<string, NodeResource>;
  readonly balancers: BalancersResource['balancers'];
  readonly sharing: StatusResource['sharing'];
  /** One line a fact: equal views have equal lines. */
  readonly lines: readonly string[];
}

/** Rejects when the coordinator does not answer. */
export async function viewOf(coordinator: CoordinatorProcess, withinMs = 2_000): Promise<View> {
  const read = async <Body>(path: string): Promise<Body> => {
    const { status, body } = await coordinator.api('GET', path, undefined, withinMs);
    if (status !== 200) throw new Error(`GET ${path} of ${coordinator.name}: ${status}`);
    return body as Body;
  };
  const [{ nodes }, { balancers }, { sharing }] = await Promise.all([
    read<NodesResource>('/v1/nodes?all'),
    read<BalancersResource>('/v1/balancers'),
    read<StatusResource>('/v1/status'),
  ]);
  return {
    nodes: new Map(nodes.map((node) => [node.id, node])),
    balancers,
    sharing,
    lines: [...nodes.map(nodeLine), ...balancers.map(balancerLine)].sort(),
  };
}

function nodeLine(node: NodeResource): string {
  const { id, balancer, url, route, liveness, incarnation, status, wanted, reported, weight, isStandby } = node;
  const request = [wanted.status, wanted.reason, wanted.by, reported.status];
  return JSON.stringify(['node', id, balancer, url, route, liveness, incarnation, status, request, weight, isStandby]);
}

function balancerLine(balancer: BalancersResource['balancers'][number]): string {
  const { name, algorithm, sessionAlgorithm, sticky, retries, sessionIdleMs, assign, limits, nodes } = balancer;
  return JSON.stringify([
    'balancer',
    name,
    algorithm,
    sessionAlgorithm,
    sticky,
    retries,
    sessionIdleMs,
    assign,
    limits,
    nodes,
  ]);
}

/** How two views differ, one sentence each; empty when they are equal. */
export function differences([first, second]: readonly [View, View]): string[] {
  return [
    ...first.lines.filter((line) => !second.lines.includes(line)).map((line) => `only a: ${line}`),
    ...second.lines.filter((line) => !first.lines.includes(line)).map((line) => `only b: ${line}`),
  ];
}

/** What still shows the fault in views, one sentence each; empty when all has recovered. */
export function remains(views: readonly View[], ids: readonly string[], isShared: boolean): string[] {
  const found: string[] = [];
  for (const [at, view] of views.entries()) {
    const name = 'ab'[at];
    for (const id of ids) {
      const liveness = view.nodes.get(id)?.liveness ?? 'unknown';
      if (liveness !== 'up') found.push(`${id} is ${liveness} at ${name}`);
    }
    if (!isShared) continue;
    const { isReachable, lastError, refusal, waiting = 0 } = view.sharing ?? {};
    if (isReachable !== true) found.push(`${name} does not reach the store: ${lastError}`);
    if (refusal !== undefined) found.push(`${name} shares nothing: ${refusal}`);
    if (waiting > 0) found.push(`${name} has ${waiting} records to write`);
  }
  return found;
}
