/** `/v1/balancers`: read, and change the settings of one. */
import { ALGORITHMS } from '@rollcall/core';
import type { BalancerName, BalancerPatch, BalancerResource, BalancersResource, Fault } from '@rollcall/protocol';
import { parseCookieName, parseParameterName } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { type AdminApp, identityOf, originOf, sendJson } from './admin-app.ts';
import { knownBalancer } from './known.ts';
import { limitOf, type PageQuery } from './paging.ts';
import { balancerTag, unmatched } from './record-tags.ts';
import { Refusal } from './refusal.ts';
import {
  BalancerPatchSchema,
  BalancerSchema,
  BalancersSchema,
  type BalancerWriteResult,
  BalancerWriteResultSchema,
  NameParams,
  PageQuerySchema,
  ProblemSchema,
} from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import type { Surroundings } from './surroundings.ts';

export function addBalancers(app: AdminApp, around: Surroundings): void {
  const { cluster, answers } = around;
  const problems = { '4xx': ProblemSchema };

  app.get(
    '/v1/balancers',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Balancers in order of their names, at most 1,000 in one answer',
        querystring: PageQuerySchema,
        response: { 200: BalancersSchema, ...problems },
      },
    },
    async ({ query }, reply) =>
      sendJson(
        reply,
        answers.json(`balancers ${JSON.stringify(query)}`, () => page(around, query)),
      ),
  );

  app.get(
    '/v1/balancers/:name',
    {
      config: { role: 'viewer' },
      schema: { summary: 'One balancer', params: NameParams, response: { 200: BalancerSchema, ...problems } },
    },
    async (request, reply) => {
      const balancer = present(around, knownBalancer(cluster, request.params.name));
      reply.header('etag', balancerTag(balancer));
      return balancer;
    },
  );

  app.patch(
    '/v1/balancers/:name',
    {
      config: { role: 'operator', honoursIfMatch: true },
      schema: {
        summary: 'Override settings of a balancer; null takes an override back',
        params: NameParams,
        body: BalancerPatchSchema,
        response: { 200: BalancerWriteResultSchema, ...problems },
      },
    },
    async (request) =>
      storedAnswer(around.storeSync, patch(around, knownBalancer(cluster, request.params.name), request.body, request)),
  );
}

function page({ cluster }: Surroundings, query: PageQuery): BalancersResource {
  const { after } = query;
  const limit = limitOf(query);
  const names = [...cluster.registry.balancers()].sort().filter((name) => after === undefined || name > after);
  const balancers: BalancerResource[] = [];
  for (const name of names.slice(0, limit)) {
    const balancer = cluster.balancer(name);
    if (balancer) balancers.push(balancer);
  }
  return { balancers, ...(names.length > limit && { next: names[limit - 1]! }) };
}

function present({ cluster }: Surroundings, name: BalancerName): BalancerResource {
  const balancer = cluster.balancer(name);
  if (!balancer) throw new Refusal({ code: 'not-found', message: `there is no balancer ${name}` });
  return balancer;
}

function patch(
  around: Surroundings,
  name: BalancerName,
  body: BalancerPatch,
  request: FastifyRequest,
): BalancerWriteResult {
  const { cluster } = around;
  const stale = unmatched(request.headers['if-match'], `balancer ${name}`, balancerTag(present(around, name)));
  if (stale) throw new Refusal(stale);
  const mistake = settingsMistake(body, around.config.ownAlgorithms);
  if (mistake) throw new Refusal(mistake);
  const { dryRun = false, reason: _, ...settings } = body;
  if (dryRun) {
    const message = `would change balancer ${name}: ${JSON.stringify(settings)}`;
    return { balancer: present(around, name), isChanged: Object.keys(settings).length > 0, isDryRun: true, message };
  }
  const outcome = cluster.apply(
    { type: 'balancer-settings', name, source: 'operator', patch: body, by: identityOf(request).name },
    originOf(request),
  );
  if ('type' in outcome) throw new Refusal(outcome);
  const isChanged = outcome.some((event) => event.type === 'balancer');
  return {
    balancer: present(around, name),
    isChanged,
    isDryRun: false,
    message: `balancer ${name} ${isChanged ? 'has its new settings' : 'is as it was'}`,
  };
}

/** What the schema cannot say: names of algorithms, cookies and parameters. */
export function settingsMistake(
  { algorithm, sessionAlgorithm, sticky }: BalancerPatch,
  ownAlgorithms: readonly string[],
): Fault | undefined {
  const known = [...Object.keys(ALGORITHMS), ...ownAlgorithms];
  for (const name of [algorithm, sessionAlgorithm])
    if (typeof name === 'string' && !known.includes(name))
      return badField(`there is no algorithm ${name.slice(0, 64)}; there are ${known.join(', ')}`);
  for (const cookie of sticky?.cookies ?? [])
    if (parseCookieName(cookie) === undefined) return badField(`${JSON.stringify(cookie)} is not a cookie name`);
  for (const parameter of sticky?.parameters ?? [])
    if (parseParameterName(parameter) === undefined)
      return badField(`${JSON.stringify(parameter)} is not the name of a parameter`);
  return undefined;
}

function badField(message: string): Fault {
  return { code: 'bad-field', message };
}
