/** `POST /v1/balancers/:name/scale`: sets the number of copies that the wrappers of a balancer keep. */
import type { BalancerName, ScaleBody, WriteResult } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { guardEligible } from './eligible-guard.ts';
import { knownBalancer } from './known.ts';
import { Refusal } from './refusal.ts';
import { NameParams, ProblemSchema, ScaleBodySchema, WriteResultSchema } from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import { type WriteTargets, writeTargets } from './write-targets.ts';

export function addScale(app: AdminApp, dependencies: Dependencies): void {
  const { cluster } = dependencies;
  app.post(
    '/v1/balancers/:name/scale',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Set how many nodes the wrappers of a balancer keep',
        params: NameParams,
        body: ScaleBodySchema,
        response: { 200: WriteResultSchema, '4xx': ProblemSchema },
      },
    },
    async (request) => scale(dependencies, knownBalancer(cluster, request.params.name), request.body, request),
  );
}

async function scale(
  { cluster, storeSync }: Dependencies,
  balancer: BalancerName,
  body: ScaleBody,
  request: FastifyRequest,
): Promise<WriteResult> {
  const { registry } = cluster;
  const { count, reason, dryRun = false } = body;
  const present = (): WriteTargets =>
    writeTargets(
      cluster,
      [...registry.nodesIn(balancer)].filter(({ liveness }) => liveness !== 'gone'),
    );
  const before = present();
  const eligibility = guardEligible(registry, registry.endedByScale(balancer, count), body, 'may');
  if (dryRun) {
    const message = `would ask the wrappers of balancer ${balancer} for ${count} nodes; there are ${before.ids.length}${eligibility.text}`;
    const isChanged = count !== before.ids.length;
    return { ...before.shown, isChanged, isDryRun: true, message, ...eligibility.shown };
  }
  const command = { type: 'scale', balancer, count, by: identityOf(request).name } as const;
  const outcome = cluster.apply({ ...command, ...(reason !== undefined && { reason }) }, originOf(request));
  if ('type' in outcome) throw new Refusal(outcome);
  const isChanged = outcome.some((event) => event.type === 'scale');
  const message = isChanged
    ? `balancer ${balancer} goes from ${before.ids.length} to ${count} nodes${eligibility.text}`
    : `the wrappers of balancer ${balancer} keep ${count} nodes already`;
  const { ids, shown } = present();
  return storedAnswer(storeSync, { ...shown, isChanged, isDryRun: false, message, ...eligibility.shown }, ids);
}
