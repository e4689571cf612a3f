/** drain, enable and stop, for a node, a balancer's nodes, or a group's. */
import type { Target } from '@rollcall/core';
import type { GroupName, NodeResource, Status, StatusBody, WriteResult } from '@rollcall/protocol';
import { parseGroupName } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import type { Cluster } from '../cluster.ts';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import { knownBalancer, matchedNode, unknown } from './known.ts';
import { Refusal } from './refusal.ts';
import { IdParams, NameParams, ProblemSchema, StatusBodySchema, WriteResultSchema } from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import type { Surroundings } from './surroundings.ts';

const VERBS: Readonly<Record<string, Status>> = { drain: 'draining', enable: 'enabled', stop: 'stopped' };

export function addVerbs(app: AdminApp, { cluster, storeSync }: Surroundings): void {
  for (const [verb, status] of Object.entries(VERBS)) {
    const schema = (summary: string) => ({
      summary,
      body: StatusBodySchema,
      response: { 200: WriteResultSchema, '4xx': ProblemSchema },
    });
    app.post(
      `/v1/nodes/:id/${verb}`,
      {
        config: { role: 'operator', honoursIfMatch: true },
        schema: { ...schema(`${verb} one node`), params: IdParams },
      },
      async (request) =>
        storedAnswer(
          storeSync,
          want(
            cluster,
            { type: 'node', id: matchedNode(cluster, request.params.id, request) },
            status,
            request.body,
            request,
          ),
        ),
    );
    app.post(
      `/v1/balancers/:name/${verb}`,
      { config: { role: 'operator' }, schema: { ...schema(`${verb} all nodes of a balancer`), params: NameParams } },
      async (request) => {
        const name = knownBalancer(cluster, request.params.name);
        return storedAnswer(storeSync, want(cluster, { type: 'balancer', name }, status, request.body, request));
      },
    );
    app.post(
      `/v1/groups/:name/${verb}`,
      { config: { role: 'operator' }, schema: { ...schema(`${verb} all nodes of a group`), params: NameParams } },
      async (request) => {
        const name = knownGroup(cluster, request.params.name);
        return storedAnswer(storeSync, want(cluster, { type: 'group', name }, status, request.body, request));
      },
    );
  }
}

function knownGroup(cluster: Cluster, text: string): GroupName {
  const groups = new Set<string>();
  for (const { registration } of cluster.registry.nodes()) if (registration.group) groups.add(registration.group);
  const name = parseGroupName(text);
  if (name === undefined || !groups.has(name)) throw unknown('group', text, groups);
  return name;
}

/** Applies the operator's wish, or with `dryRun` only says what it would be about. */
function want(
  cluster: Cluster,
  target: Target,
  status: Status,
  { dryRun = false, reason, deadlineMs, forMs }: StatusBody,
  request: FastifyRequest,
): WriteResult {
  if (dryRun) {
    const nodes = targetsOf(cluster, target, status);
    const isChanged = nodes.some((node) => node.wanted.status !== status);
    return { nodes, isChanged, isDryRun: true, message: sentence(target, nodes, status, isChanged, true) };
  }
  const outcome = cluster.apply(
    {
      type: 'operator-status',
      target,
      status,
      by: identityOf(request).name,
      ...(reason !== undefined && { reason }),
      ...(deadlineMs !== undefined && { deadlineMs }),
      ...(forMs !== undefined && { forMs }),
    },
    originOf(request),
  );
  if ('type' in outcome) throw new Refusal(outcome);
  const nodes = targetsOf(cluster, target, status);
  const isChanged = outcome.some((event) => event.type === 'status');
  return { nodes, isChanged, isDryRun: false, message: sentence(target, nodes, status, isChanged, false) };
}

/** Gone nodes count when they are named, or when all are enabled: as the registry reads a target. */
function targetsOf(cluster: Cluster, target: Target, status: Status): NodeResource[] {
  if (target.type === 'node') return [cluster.resource(target.id)].filter((node) => node !== undefined);
  const { registry } = cluster;
  const nodes =
    target.type === 'balancer'
      ? [...registry.nodesIn(target.name)]
      : [...registry.nodes()].filter(({ registration }) => registration.group === target.name);
  return cluster.resources(nodes.filter(({ liveness }) => liveness !== 'gone' || status === 'enabled'));
}

function sentence(
  target: Target,
  nodes: readonly NodeResource[],
  status: Status,
  isChanged: boolean,
  isDryRun: boolean,
): string {
  const verb = isDryRun
    ? 'would be'
    : isChanged
      ? nodes.length === 1
        ? 'is now'
        : 'are now'
      : nodes.length === 1
        ? 'is already'
        : 'are already';
  const [first] = nodes;
  if (target.type === 'node' && first)
    return `node ${target.id} ${verb} ${status}${status === 'enabled' ? '' : `: ${left(nodes)}`}`;
  if (target.type === 'node') return `node ${target.id} is no longer there`;
  const whom = `${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'} of ${target.type} ${target.name}`;
  return `${whom} ${verb} ${status}${status === 'enabled' ? '' : `: ${left(nodes)}`}`;
}

function left(nodes: readonly NodeResource[]): string {
  let [sessions, inFlight] = [0, 0];
  for (const node of nodes) {
    sessions += node.sessions;
    inFlight += node.inFlight + node.tunnels;
  }
  return `${sessions} sessions, ${inFlight} in flight`;
}
