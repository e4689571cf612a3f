/** `POST /v1/balancers/:name/scale`: sets the number of copies that the wrappers of a balancer keep. */
import { type BalancerName, copiesText, type ScaleBody, type ScaleResult } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { guardEligible } from './eligible-guard.ts';
import { knownBalancer } from './known.ts';
import { previewed } from './preview.ts';
import { Refusal } from './refusal.ts';
import { NameParams, ProblemSchema, ScaleBodySchema, ScaleResultSchema } from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import { type WriteTargets, writeTargets } from './write-targets.ts';

export function addScale(app: AdminApp, dependencies: Dependencies): void {
  const { cluster } = dependencies;
  app.post(
    '/v1/balancers/:name/scale',
    {
      config: { role: 'operator', errors: ['not-scalable', 'nobody-eligible', 'budget', 'conflict'] },
      schema: {
        operationId: 'scaleBalancer',
        summary: 'Set how many nodes the wrappers of a balancer keep',
        params: NameParams,
        body: ScaleBodySchema,
        response: { 200: ScaleResultSchema, 202: ScaleResultSchema, '4xx': ProblemSchema },
      },
    },
    async (request) => scale(dependencies, knownBalancer(cluster, request.params.name), request.body, request),
  );
}

async function scale(
  dependencies: Dependencies,
  balancer: BalancerName,
  body: ScaleBody,
  request: FastifyRequest,
): Promise<ScaleResult> {
  const { cluster } = dependencies;
  const { registry } = cluster;
  const { count, reason, dryRun = false } = body;
  const present = (): WriteTargets =>
    writeTargets(
      cluster,
      [...registry.nodesIn(balancer)].filter(({ liveness }) => liveness !== 'gone'),
    );
  const before = cluster.balancer(balancer)?.copies;
  const lost = registry.endedByScale(balancer, count);
  const eligibility = guardEligible(registry, { lost }, body, 'may');
  const others = before === undefined ? 0 : before.wanted - before.kept;
  const copiesOf =
    others === 0 || count <= others
      ? ''
      : `: copies of rollcall run from ${before?.kept} to ${count - others}, ${others} other ${others === 1 ? 'node counts' : 'nodes count'} too`;
  const nodes = `${count} ${count === 1 ? 'node' : 'nodes'}`;
  if (dryRun) {
    const { shown, ids } = present();
    const wanted = before?.wanted ?? ids.length;
    const preview = previewed(registry, { lost }, { kind: 'stay' });
    const message = `would ask the wrappers of balancer ${balancer} for ${nodes}${copiesOf}; there are ${wanted}${before === undefined ? '' : `, ${copiesText(before)}`}${eligibility.text}${preview.text}`;
    return { ...shown, isChanged: count !== wanted, isDryRun: true, message, ...eligibility.shown, ...preview.shown };
  }
  const command = { type: 'scale', balancer, count, by: identityOf(request).name } as const;
  const outcome = cluster.apply({ ...command, ...(reason !== undefined && { reason }) }, originOf(request));
  if ('type' in outcome) throw new Refusal(outcome);
  const requests = outcome.filter((event) => event.type === 'scale');
  const isChanged = requests.some(({ isRepeat }) => !isRepeat);
  const kept = before === undefined ? '' : `: ${copiesText(before)}`;
  const message = isChanged
    ? `balancer ${balancer} goes from ${before?.wanted} to ${nodes}${copiesOf}${eligibility.text}`
    : `the wrappers of balancer ${balancer} keep ${nodes} already${kept}${requests.length > 0 ? '; failing copies are started again now' : ''}`;
  const { ids, shown } = present();
  const copies = cluster.balancer(balancer)?.copies;
  const answer = { ...shown, isChanged, isDryRun: false, message, ...eligibility.shown, ...(copies && { copies }) };
  return storedAnswer(dependencies, answer, ids);
}
