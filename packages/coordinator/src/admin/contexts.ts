/** `POST /v1/contexts/forget`: forgets contexts without nodes, so that requests for them get 404 instead of 503. */
import { type RememberedContext, recordKey } from '@rollcall/core';
import type { ForgetBody, ForgetResult, RememberedContextResource } from '@rollcall/protocol';
import { parseContextPath, parseHostPattern } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { Refusal } from './refusal.ts';
import { ForgetBodySchema, ForgetResultSchema, ProblemSchema } from './schemas.ts';
import { sharedAnswer } from './stored-answer.ts';

/** Contexts named in a message. */
const MAX_NAMED = 20;
/** Contexts listed in an answer. */
const MAX_LISTED = 1_000;

export function addContexts(app: AdminApp, dependencies: Dependencies): void {
  app.post(
    '/v1/contexts/forget',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'forgetContexts',
        summary: 'Forget contexts without nodes: all, or those of a path, or of a path on a host',
        body: ForgetBodySchema,
        response: { 200: ForgetResultSchema, 202: ForgetResultSchema, '4xx': ProblemSchema },
      },
    },
    async (request) => forget(dependencies, request.body, request),
  );
}

async function forget(
  dependencies: Dependencies,
  { reason, dryRun = false, ...wanted }: ForgetBody,
  request: FastifyRequest,
): Promise<ForgetResult> {
  const { cluster, history } = dependencies;
  const path = wanted.path === undefined ? undefined : parseContextPath(wanted.path);
  const host = wanted.host === undefined ? undefined : parseHostPattern(wanted.host);
  if (wanted.path !== undefined && path === undefined)
    throw new Refusal({ code: 'bad-field', message: `${JSON.stringify(wanted.path)} is not a path like /app` });
  if (wanted.host !== undefined && host === undefined)
    throw new Refusal({
      code: 'bad-field',
      message: `${JSON.stringify(wanted.host)} is not a host name, *.suffix or *`,
    });
  const choice = { ...(path !== undefined && { path }), ...(host !== undefined && { host }) };
  const found = cluster.registry.forgettableContexts(choice);
  const contexts = found.slice(0, MAX_LISTED).map((context) => onWallClock(dependencies, context));
  const what = `${path ?? 'all contexts'}${host === undefined ? '' : ` on ${host}`} without nodes`;
  const which = `${what}: ${namesOf(found)}`;
  if (dryRun) return { contexts, isChanged: found.length > 0, isDryRun: true, message: `would forget ${which}` };
  const outcome = cluster.apply({ type: 'forget-contexts', ...choice });
  if ('type' in outcome) throw new Refusal(outcome);
  const audited = `forgot ${what}: ${found.length} of the coordinator`;
  history.did('forget', reason === undefined ? audited : `${audited} (${reason})`, {
    by: identityOf(request).name,
    ...originOf(request),
  });
  const message = `forgot ${which}; the workers forget them too`;
  const keys = found.map((context) => recordKey.context(context.host, context.path));
  return sharedAnswer(dependencies, { contexts, isChanged: true, isDryRun: false, message }, keys);
}

/** `/shop on *, /cart on shop.example and 3 more`. */
function namesOf(contexts: readonly Pick<RememberedContextResource, 'host' | 'path'>[]): string {
  if (contexts.length === 0) return 'no such context is remembered';
  const more = contexts.length - MAX_NAMED;
  const named = contexts.slice(0, MAX_NAMED).map(({ host, path }) => `${path} on ${host}`);
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Contexts that have lost their last node. Instants are wall-clock times. */
export function rememberedContexts(dependencies: Dependencies): RememberedContextResource[] {
  return dependencies.cluster.registry.rememberedContexts().map((context) => onWallClock(dependencies, context));
}

function onWallClock(
  { cluster: { clocks } }: Dependencies,
  { balancer, host, path, sinceMs }: RememberedContext,
): RememberedContextResource {
  return { balancer, host, path, sinceUnixMs: Math.floor(sinceMs + clocks.nowUnixMs() - clocks.nowMs()) };
}
