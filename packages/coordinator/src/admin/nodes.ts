/** `/v1/nodes`: read, register without an agent, change and remove nodes. */
import type { NodeId, NodePatch, NodePut, NodeResource, RemoveBody, WriteResult } from '@rollcall/protocol';
import { parseNodeId, sessionsText } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { type AdminApp, identityOf, originOf, sendJson } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { guardEligible } from './eligible-guard.ts';
import { knownNode, matchedNode } from './known.ts';
import { fieldsFilter, nodeFilter } from './node-filter.ts';
import { limitOf } from './paging.ts';
import { previewed } from './preview.ts';
import { putNode } from './put-node.ts';
import { nodeTag } from './record-tags.ts';
import { Refusal } from './refusal.ts';
import {
  IdParams,
  NodePatchSchema,
  NodePutSchema,
  NodeSchema,
  type NodesQuery,
  NodesQuerySchema,
  NodesSchema,
  ProblemSchema,
  RemoveBodySchema,
  WriteResultSchema,
} from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';

/** Codes of the errors of a registration, for the document. */
const REGISTRATION_ERRORS = [
  'bad-address',
  'bad-name',
  'id-owned',
  'id-taken',
  'address-taken',
  'route-taken',
  'context-taken',
  'too-many-nodes',
  'removed',
  'conflict',
] as const;

export function addNodes(app: AdminApp, dependencies: Dependencies): void {
  const { cluster, answers } = dependencies;
  const problems = { '4xx': ProblemSchema };

  app.get(
    '/v1/nodes',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listNodes',
        summary: 'Nodes by id, at most 1,000 per answer; filters can be combined',
        querystring: NodesQuerySchema,
        response: { 200: NodesSchema, ...problems },
      },
    },
    async ({ query }, reply) =>
      sendJson(
        reply,
        answers.json(`nodes ${JSON.stringify(query)}`, () => page(dependencies, query)),
      ),
  );

  app.get(
    '/v1/nodes/:id',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'getNode',
        summary: 'One node',
        params: IdParams,
        response: { 200: NodeSchema, ...problems },
      },
    },
    async (request, reply) => {
      const id = knownNode(cluster, request.params.id);
      reply.header('etag', nodeTag(cluster.registry.node(id)!));
      return present(dependencies, id);
    },
  );

  app.put(
    '/v1/nodes/:id',
    {
      config: { role: 'join', honoursIfMatch: true, errors: REGISTRATION_ERRORS },
      schema: {
        operationId: 'putNode',
        summary: 'Register a node without an agent; with ttlMs the registration is a lease that a repeat renews',
        params: IdParams,
        body: NodePutSchema,
        response: { 200: WriteResultSchema, 202: WriteResultSchema, ...problems },
      },
    },
    async (request) => put(dependencies, request.params.id, request.body, request),
  );

  app.patch(
    '/v1/nodes/:id',
    {
      config: { role: 'operator', honoursIfMatch: true, errors: ['conflict'] },
      schema: {
        operationId: 'patchNode',
        summary: 'Override weight, standby or redirect of a node; null removes an override',
        params: IdParams,
        body: NodePatchSchema,
        response: { 200: WriteResultSchema, 202: WriteResultSchema, ...problems },
      },
    },
    async (request) => storedAnswer(dependencies, patch(dependencies, request.params.id, request.body, request)),
  );

  app.delete(
    '/v1/nodes/:id',
    {
      config: { role: 'operator', honoursIfMatch: true, errors: ['nobody-eligible', 'budget'] },
      schema: {
        operationId: 'removeNode',
        summary: 'Remove a node; its process cannot register again, a new process can',
        params: IdParams,
        body: RemoveBodySchema,
        response: { 200: WriteResultSchema, 202: WriteResultSchema, ...problems },
      },
    },
    async (request) =>
      storedAnswer(dependencies, remove(dependencies, request.params.id, request.body, request), [request.params.id]),
  );
}

function page({ cluster }: Dependencies, query: NodesQuery): object {
  const shown = fieldsFilter(query);
  const isWanted = nodeFilter(cluster, query);
  const { nodes, ...rest } = cluster.page({ after: query.after, limit: limitOf(query), isWanted });
  return { nodes: nodes.map(shown), ...rest };
}

function present({ cluster }: Dependencies, id: Parameters<Dependencies['cluster']['resource']>[0]): NodeResource {
  const node = cluster.resource(id);
  if (!node) throw new Refusal({ code: 'not-found', message: `node ${id} no longer exists` });
  return node;
}

async function put(
  dependencies: Dependencies,
  id: string,
  body: NodePut,
  request: FastifyRequest,
): Promise<WriteResult> {
  const outcome = await putNode(dependencies, id, body, identityOf(request), request.raw);
  if ('code' in outcome) throw new Refusal(outcome);
  return storedAnswer(dependencies, outcome);
}

function patch(dependencies: Dependencies, text: string, body: NodePatch, request: FastifyRequest): WriteResult {
  const { cluster } = dependencies;
  const id = matchedNode(cluster, text, request);
  const { weight, standby, redirectTo, reason, dryRun = false } = body;
  const target = typeof redirectTo === 'string' ? parseNodeId(redirectTo) : redirectTo;
  if (typeof redirectTo === 'string') knownNode(cluster, redirectTo);
  const overrides = {
    ...(weight !== undefined && { weight }),
    ...(standby !== undefined && { standby }),
    ...(target !== undefined && { redirectTo: target }),
  };
  const change = { lost: new Set<NodeId>(), standby: new Set(standby === true ? [id] : []) };
  const eligibility = guardEligible(cluster.registry, change, body);
  if (dryRun) {
    const message = `would change node ${id}: ${JSON.stringify(overrides)}${eligibility.text}`;
    return {
      nodes: [present(dependencies, id)],
      isChanged: Object.keys(overrides).length > 0,
      isDryRun: true,
      message,
      ...eligibility.shown,
    };
  }
  const outcome = cluster.apply(
    { type: 'patch-node', id, ...overrides, by: identityOf(request).name, ...(reason !== undefined && { reason }) },
    originOf(request),
  );
  if ('type' in outcome) throw new Refusal(outcome);
  const event = outcome.find((one) => one.type === 'patched');
  return {
    nodes: [present(dependencies, id)],
    isChanged: event !== undefined,
    isDryRun: false,
    message: (event ? `node ${id}: ${event.what}` : `node ${id} is unchanged`) + eligibility.text,
    ...eligibility.shown,
  };
}

function remove(dependencies: Dependencies, text: string, body: RemoveBody, request: FastifyRequest): WriteResult {
  const { cluster } = dependencies;
  const id = matchedNode(cluster, text, request);
  const before = present(dependencies, id);
  const { reason, dryRun = false } = body;
  const left = `${sessionsText(before.sessions, before.sessionsSeenOnce)}, ${before.inFlight} in flight`;
  const eligibility = guardEligible(cluster.registry, { lost: new Set([id]) }, body);
  if (dryRun) {
    const isChanged = before.liveness !== 'gone';
    const preview = previewed(cluster.registry, { lost: new Set([id]) }, { kind: 'move' });
    const message = `would remove node ${id}: ${left}${eligibility.text}${preview.text}`;
    return { nodes: [before], isChanged, isDryRun: true, message, ...eligibility.shown, ...preview.shown };
  }
  const outcome = cluster.apply(
    { type: 'remove', id, by: identityOf(request).name, ...(reason !== undefined && { reason }) },
    originOf(request),
  );
  if ('type' in outcome) throw new Refusal(outcome);
  const after = cluster.resource(id);
  const isChanged = outcome.length > 0;
  const message = isChanged
    ? `node ${id} is removed: it had ${left}${eligibility.text}`
    : `node ${id} was removed before`;
  return { nodes: after ? [after] : [], isChanged, isDryRun: false, message, ...eligibility.shown };
}
