/** `/v1/balancers`: read balancers, change the settings of one. */
import { ALGORITHMS } from '@rollcall/core';
import type {
  BalancerName,
  BalancerPatch,
  BalancerResource,
  BalancersResource,
  BalancerWriteResult,
  Fault,
  RouteCookiePatch,
} from '@rollcall/protocol';
import {
  FaultBox,
  Fields,
  limitsFault,
  parseCookieName,
  parseParameterName,
  readRouteCookiePatch,
} from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { type AdminApp, identityOf, originOf, sendJson } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { knownBalancer } from './known.ts';
import { limitOf } from './paging.ts';
import { balancerTag, unmatched } from './record-tags.ts';
import { Refusal } from './refusal.ts';
import {
  BalancerPatchSchema,
  BalancerSchema,
  type BalancersQuery,
  BalancersQuerySchema,
  BalancersSchema,
  BalancerWriteResultSchema,
  NameParams,
  ProblemSchema,
} from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import { searchOf } from './word-list.ts';

export function addBalancers(app: AdminApp, dependencies: Dependencies): void {
  const { cluster, answers } = dependencies;
  const problems = { '4xx': ProblemSchema };

  app.get(
    '/v1/balancers',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listBalancers',
        summary: 'Balancers by name, at most 1,000 per answer',
        querystring: BalancersQuerySchema,
        response: { 200: BalancersSchema, ...problems },
      },
    },
    async ({ query }, reply) =>
      sendJson(
        reply,
        answers.json(`balancers ${JSON.stringify(query)}`, () => page(dependencies, query)),
      ),
  );

  app.get(
    '/v1/balancers/:name',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'getBalancer',
        summary: 'One balancer',
        params: NameParams,
        response: { 200: BalancerSchema, ...problems },
      },
    },
    async (request, reply) => {
      const balancer = present(dependencies, knownBalancer(cluster, request.params.name));
      reply.header('etag', balancerTag(balancer));
      return balancer;
    },
  );

  app.patch(
    '/v1/balancers/:name',
    {
      config: { role: 'operator', honoursIfMatch: true },
      schema: {
        operationId: 'patchBalancer',
        summary: 'Override settings of a balancer; null removes an override',
        params: NameParams,
        body: BalancerPatchSchema,
        response: { 200: BalancerWriteResultSchema, 202: BalancerWriteResultSchema, ...problems },
      },
    },
    async (request) =>
      storedAnswer(
        dependencies,
        patch(dependencies, knownBalancer(cluster, request.params.name), request.body, request),
      ),
  );
}

function page({ cluster }: Dependencies, query: BalancersQuery): BalancersResource {
  const { after } = query;
  const limit = limitOf(query);
  const isFound = searchOf(query.q);
  const names = [...cluster.registry.balancers()].sort().filter((name) => after === undefined || name > after);
  const balancers: BalancerResource[] = [];
  for (const name of names) {
    const balancer = cluster.balancer(name);
    const texts = balancer?.contexts.flatMap(({ host, path }) => [host, path]) ?? [];
    if (balancer === undefined || isFound?.([name, ...texts]) === false) continue;
    if (balancers.length === limit) return { balancers, next: balancers.at(-1)!.name };
    balancers.push(balancer);
  }
  return { balancers };
}

function present({ cluster }: Dependencies, name: BalancerName): BalancerResource {
  const balancer = cluster.balancer(name);
  if (!balancer) throw new Refusal({ code: 'not-found', message: `there is no balancer ${name}` });
  return balancer;
}

function patch(
  dependencies: Dependencies,
  name: BalancerName,
  sent: BalancerPatch,
  request: FastifyRequest,
): BalancerWriteResult {
  const { cluster } = dependencies;
  const stale = unmatched(request.headers['if-match'], `balancer ${name}`, balancerTag(present(dependencies, name)));
  if (stale) throw new Refusal(stale);
  const mistake = settingsMistake(sent, dependencies.config.ownAlgorithms);
  if (mistake) throw new Refusal(mistake);
  const body = normalized(sent);
  const brokenRule = cluster.registry.settingsMistake(name, body);
  if (brokenRule !== undefined) throw new Refusal(badField(brokenRule));
  const { dryRun = false, reason: _, ...settings } = body;
  if (dryRun) {
    const message = `would change balancer ${name}: ${JSON.stringify(settings)}`;
    return {
      balancer: present(dependencies, name),
      isChanged: Object.keys(settings).length > 0,
      isDryRun: true,
      message,
    };
  }
  const outcome = cluster.apply(
    { type: 'balancer-settings', name, source: 'operator', patch: body, by: identityOf(request).name },
    originOf(request),
  );
  if ('type' in outcome) throw new Refusal(outcome);
  const told = outcome.find((event) => event.type === 'balancer');
  const isChanged = told !== undefined;
  const changes = told?.changes === undefined ? '' : `: ${told.changes}`;
  return {
    balancer: present(dependencies, name),
    isChanged,
    isDryRun: false,
    message: `balancer ${name} ${isChanged ? `has its new settings${changes}` : 'is as it was'}`,
  };
}

/** Checks that the schema cannot express: names of algorithms, cookies and parameters; time limits, with a clear text. */
export function settingsMistake(
  { algorithm, sessionAlgorithm, sticky, limits }: BalancerPatch,
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
  const fault = limits && limitsFault(limits);
  return fault === undefined ? routeCookieFault(sticky?.routeCookie) : badField(`limits: ${fault}`);
}

/** Texts of the route cookie that cannot stand in `Set-Cookie`. Rules that several settings keep together are core's. */
function routeCookieFault(patch: RouteCookiePatch | undefined): Fault | undefined {
  const fields = new Fields({ ...patch }, 'sticky.routeCookie.', new FaultBox());
  readRouteCookiePatch(fields);
  return fields.fault;
}

/** The texts of the route cookie in their one form, like `example.com` for `.Example.com`. */
function normalized(patch: BalancerPatch): BalancerPatch {
  const { sticky } = patch;
  if (sticky?.routeCookie === undefined) return patch;
  const read = readRouteCookiePatch(new Fields({ ...sticky.routeCookie }, '', new FaultBox()));
  return { ...patch, sticky: { ...sticky, routeCookie: { ...sticky.routeCookie, ...read } } };
}

function badField(message: string): Fault {
  return { code: 'bad-field', message };
}
