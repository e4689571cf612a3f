/** `POST …/acknowledge`: an operator knows that nodes are missing. */
import { isMissing, type NodeView, type Target } from '@rollcall/core';
import type { AcknowledgeBody, WriteResult } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { knownBalancer, knownNode } from './known.ts';
import { Refusal } from './refusal.ts';
import { AcknowledgeBodySchema, IdParams, NameParams, ProblemSchema, WriteResultSchema } from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import { writeTargets } from './write-targets.ts';

export function addAcknowledge(app: AdminApp, dependencies: Dependencies): void {
  const { cluster } = dependencies;
  const schema = (operationId: string, summary: string) => ({
    operationId,
    summary,
    body: AcknowledgeBodySchema,
    response: { 200: WriteResultSchema, 202: WriteResultSchema, '4xx': ProblemSchema },
  });
  app.post(
    '/v1/nodes/:id/acknowledge',
    {
      config: { role: 'operator' },
      schema: { ...schema('acknowledgeNode', 'Acknowledge that a node is missing'), params: IdParams },
    },
    async (request) => {
      const id = knownNode(cluster, request.params.id);
      return acknowledge(dependencies, { type: 'node', id }, [cluster.registry.node(id)!], request.body, request);
    },
  );
  app.post(
    '/v1/balancers/:name/acknowledge',
    {
      config: { role: 'operator' },
      schema: { ...schema('acknowledgeBalancer', 'Acknowledge all missing nodes of a balancer'), params: NameParams },
    },
    async (request) => {
      const name = knownBalancer(cluster, request.params.name);
      const nodes = [...cluster.registry.nodesIn(name)];
      return acknowledge(dependencies, { type: 'balancer', name }, nodes, request.body, request);
    },
  );
}

async function acknowledge(
  dependencies: Dependencies,
  target: Target,
  nodes: readonly NodeView[],
  { reason, dryRun = false }: AcknowledgeBody,
  request: FastifyRequest,
): Promise<WriteResult> {
  const { cluster } = dependencies;
  const missing = nodes.filter(isMissing);
  const unknown = missing.filter(({ acknowledged }) => acknowledged === undefined);
  const isChanged = unknown.length > 0;
  const shown = (): WriteResult['nodes'] => writeTargets(cluster, missing).shown.nodes;
  if (missing.length === 0) {
    const what = target.type === 'node' ? `node ${target.id} is not missing` : `no node of it is missing`;
    return { nodes: [], isChanged, isDryRun: dryRun, message: `${what}: nothing is acknowledged` };
  }
  const names = (isChanged ? unknown : missing).map(({ id }) => id);
  const subject = names.length === 1 ? `missing node ${names[0]}` : `${names.length} missing nodes`;
  if (dryRun) return { nodes: shown(), isChanged, isDryRun: true, message: `would acknowledge ${subject}` };
  const by = identityOf(request).name;
  const command = { type: 'acknowledge', target, by, ...(reason !== undefined && { reason }) } as const;
  const outcome = cluster.apply(command, originOf(request));
  if ('type' in outcome) throw new Refusal(outcome);
  const message = isChanged
    ? `acknowledged: ${subject}; forgotten 24 h after the loss, or when it returns`
    : `${subject}: acknowledged before`;
  // Each coordinator has its own list of missing nodes.
  return storedAnswer(
    { storeSync: dependencies.storeSync, sharedSync: undefined },
    { nodes: shown(), isChanged, isDryRun: false, message },
    names,
  );
}
