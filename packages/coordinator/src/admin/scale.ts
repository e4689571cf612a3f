/** `POST /v1/balancers/:name/scale`: how many copies the wrappers of a balancer keep. */
import type { BalancerName, NodeResource, ScaleBody, WriteResult } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import type { Cluster } from '../cluster.ts';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import { knownBalancer } from './known.ts';
import { Refusal } from './refusal.ts';
import { NameParams, ProblemSchema, ScaleBodySchema, WriteResultSchema } from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import type { Surroundings } from './surroundings.ts';

export function addScale(app: AdminApp, { cluster, storeSync }: Surroundings): void {
  app.post(
    '/v1/balancers/:name/scale',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Keep so many nodes of a balancer, by the wrappers that keep copies of its program',
        params: NameParams,
        body: ScaleBodySchema,
        response: { 200: WriteResultSchema, '4xx': ProblemSchema },
      },
    },
    async (request) =>
      storedAnswer(storeSync, scale(cluster, knownBalancer(cluster, request.params.name), request.body, request)),
  );
}

function scale(
  cluster: Cluster,
  balancer: BalancerName,
  { count, reason, dryRun = false }: ScaleBody,
  request: FastifyRequest,
): WriteResult {
  const nodes = (): NodeResource[] =>
    cluster.resources(cluster.registry.nodesIn(balancer)).filter((node) => node.liveness !== 'gone');
  const before = nodes().length;
  if (dryRun) {
    const message = `would ask the wrappers of balancer ${balancer} for ${count} nodes; there are ${before}`;
    return { nodes: nodes(), isChanged: count !== before, isDryRun: true, message };
  }
  const command = { type: 'scale', balancer, count, by: identityOf(request).name } as const;
  const outcome = cluster.apply({ ...command, ...(reason !== undefined && { reason }) }, originOf(request));
  if ('type' in outcome) throw new Refusal(outcome);
  const isChanged = outcome.some((event) => event.type === 'scale');
  const message = isChanged
    ? `balancer ${balancer} goes from ${before} to ${count} nodes`
    : `the wrappers of balancer ${balancer} keep ${count} nodes already`;
  return { nodes: nodes(), isChanged, isDryRun: false, message };
}
