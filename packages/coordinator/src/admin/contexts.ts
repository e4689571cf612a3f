/** `POST /v1/contexts/forget`: contexts that have lost their last node are answered with 503 no longer. */
import type { ForgetBody, ForgetResult, RememberedContextResource } from '@rollcall/protocol';
import { parseContextPath, parseHostPattern } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import { Refusal } from './refusal.ts';
import { ForgetBodySchema, ForgetResultSchema, ProblemSchema } from './schemas.ts';
import type { Surroundings } from './surroundings.ts';

export function addContexts(app: AdminApp, around: Surroundings): void {
  app.post(
    '/v1/contexts/forget',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Forget contexts without nodes: of a path, of a path on a host, or all',
        body: ForgetBodySchema,
        response: { 200: ForgetResultSchema, '4xx': ProblemSchema },
      },
    },
    async (request) => forget(around, request.body, request),
  );
}

function forget(
  around: Surroundings,
  { reason, dryRun = false, ...wanted }: ForgetBody,
  request: FastifyRequest,
): ForgetResult {
  const { cluster, history } = around;
  const path = wanted.path === undefined ? undefined : parseContextPath(wanted.path);
  const host = wanted.host === undefined ? undefined : parseHostPattern(wanted.host);
  if (wanted.path !== undefined && path === undefined)
    throw new Refusal({ code: 'bad-field', message: `${JSON.stringify(wanted.path)} is not a path like /app` });
  if (wanted.host !== undefined && host === undefined)
    throw new Refusal({
      code: 'bad-field',
      message: `${JSON.stringify(wanted.host)} is not a host name, *.suffix or *`,
    });
  const contexts = rememberedContexts(around).filter(
    (one) => (path ?? one.path) === one.path && (host ?? one.host) === one.host,
  );
  const what = `${path ?? 'all contexts'}${host === undefined ? '' : ` on ${host}`} without nodes`;
  if (dryRun) return { contexts, isChanged: contexts.length > 0, isDryRun: true, message: `would forget ${what}` };
  const outcome = cluster.apply({
    type: 'forget-contexts',
    ...(path !== undefined && { path }),
    ...(host !== undefined && { host }),
  });
  if ('type' in outcome) throw new Refusal(outcome);
  const message = `forgot ${what}: ${contexts.length} remembered here, and what the workers remember`;
  history.did('forget', reason === undefined ? message : `${message} (${reason})`, {
    by: identityOf(request).name,
    ...originOf(request),
  });
  return { contexts, isChanged: true, isDryRun: false, message };
}

/** Contexts that have lost their last node, with wall-clock instants. */
export function rememberedContexts({ cluster: { registry, clocks } }: Surroundings): RememberedContextResource[] {
  const offsetMs = clocks.nowUnixMs() - clocks.nowMs();
  return registry.rememberedContexts().map(({ balancer, host, path, sinceMs }) => ({
    balancer,
    host,
    path,
    sinceUnixMs: Math.floor(sinceMs + offsetMs),
  }));
}
