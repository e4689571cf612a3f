/** `/v1/drains`: the drains in progress and those of the last hour; extend one, remove its deadline, end it now. */
import {
  type DrainPatch,
  type DrainResource,
  type DrainsResource,
  durationText,
  type NodeId,
  sessionsText,
  type WriteResult,
} from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { guardEligible } from './eligible-guard.ts';
import { knownNode, matchedNode } from './known.ts';
import { limitOf, type PageQuery } from './paging.ts';
import { Refusal } from './refusal.ts';
import {
  DrainEndBodySchema,
  DrainPatchSchema,
  DrainSchema,
  DrainsSchema,
  NodeParams,
  PageQuerySchema,
  ProblemSchema,
  WriteResultSchema,
} from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import { deadlineText } from './verbs.ts';
import { writeTargets } from './write-targets.ts';

export function addDrains(app: AdminApp, dependencies: Dependencies): void {
  const { cluster } = dependencies;
  const problems = { '4xx': ProblemSchema };
  const written = { 200: WriteResultSchema, 202: WriteResultSchema, ...problems };

  app.get(
    '/v1/drains',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listDrains',
        summary: 'Drains in progress, and drains that ended within the last hour, by node',
        querystring: PageQuerySchema,
        response: { 200: DrainsSchema, ...problems },
      },
    },
    async ({ query }) => page(dependencies, query),
  );

  app.get(
    '/v1/drains/:node',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'getDrain',
        summary: 'The drain of one node',
        params: NodeParams,
        response: { 200: DrainSchema, ...problems },
      },
    },
    async ({ params }) => present(dependencies, knownDrainOf(dependencies, params.node)),
  );

  app.patch(
    '/v1/drains/:node',
    {
      config: { role: 'operator', honoursIfMatch: true, errors: ['conflict'] },
      schema: {
        operationId: 'patchDrain',
        summary: 'Set the deadline of a drain that an operator requested; null removes it',
        params: NodeParams,
        body: DrainPatchSchema,
        response: written,
      },
    },
    async (request) => {
      const id = matchedNode(cluster, request.params.node, request);
      return storedAnswer(dependencies, setDeadline(dependencies, id, request.body, request));
    },
  );

  app.post(
    '/v1/drains/:node/end',
    {
      config: { role: 'operator', honoursIfMatch: true, errors: ['conflict', 'budget', 'nobody-eligible'] },
      schema: {
        operationId: 'endDrain',
        summary: 'End a drain now: the node is stopped, and its sessions fail over',
        params: NodeParams,
        body: DrainEndBodySchema,
        response: written,
      },
    },
    async (request) => {
      const id = matchedNode(cluster, request.params.node, request);
      return storedAnswer(dependencies, endNow(dependencies, id, request.body, request));
    },
  );
}

function page({ cluster }: Dependencies, query: PageQuery): DrainsResource {
  const limit = limitOf(query);
  const { after } = query;
  const ids = cluster.registry.drainingNodes().filter((id) => after === undefined || id > after);
  const drains = ids.slice(0, limit).flatMap((id) => cluster.drain(id) ?? []);
  return { drains, ...(ids.length > limit && { next: ids[limit - 1]! }) };
}

/** The node may be forgotten before its drain. */
function knownDrainOf({ cluster }: Dependencies, text: string): NodeId {
  return cluster.registry.drainingNodes().find((id) => id === text) ?? knownNode(cluster, text);
}

function present({ cluster }: Dependencies, id: NodeId): DrainResource {
  const drain = cluster.drain(id);
  if (drain === undefined)
    throw new Refusal({ code: 'not-found', message: `node ${id} does not drain, and has not within the last hour` });
  return drain;
}

/** Ends with 409 unless an operator drains the node. */
function requireDrain({ cluster }: Dependencies, id: NodeId): void {
  const node = cluster.registry.node(id);
  if (node?.operatorStatus.status === 'draining' && node.liveness !== 'gone') return;
  const is = node?.liveness === 'gone' ? 'gone' : node?.operatorStatus.status;
  throw new Refusal({
    code: 'conflict',
    message: `no operator drains node ${id}: it is ${is}; POST /v1/nodes/${id}/drain begins a drain`,
  });
}

function setDeadline(
  dependencies: Dependencies,
  id: NodeId,
  { deadlineMs, dryRun = false }: DrainPatch,
  request: FastifyRequest,
): WriteResult {
  const { cluster } = dependencies;
  requireDrain(dependencies, id);
  const { deadlineAtMs = Number.POSITIVE_INFINITY } = cluster.registry.node(id)!.operatorStatus;
  const nowMs = cluster.clocks.nowMs();
  const message =
    deadlineMs === null
      ? `node ${id} drains without a deadline`
      : `node ${id} drains for at most ${durationText(deadlineMs)}${deadlineText(deadlineAtMs, nowMs, deadlineMs)}`;
  const isChanged = deadlineAtMs !== (deadlineMs === null ? Number.POSITIVE_INFINITY : nowMs + deadlineMs);
  if (dryRun) return { ...shownOf(dependencies, id), isChanged, isDryRun: true, message: `would be: ${message}` };
  const by = identityOf(request).name;
  const target = { type: 'node', id } as const;
  // The reason of this change is for the audit only: the drain keeps its own.
  const outcome = cluster.apply(
    { type: 'operator-status', target, status: 'draining', by, deadlineMs },
    originOf(request),
  );
  if ('type' in outcome) throw new Refusal(outcome);
  return { ...shownOf(dependencies, id), isChanged: outcome.length > 0, isDryRun: false, message };
}

function endNow(
  dependencies: Dependencies,
  id: NodeId,
  body: { readonly reason?: string; readonly dryRun?: boolean; readonly force?: boolean },
  request: FastifyRequest,
): WriteResult {
  const { cluster } = dependencies;
  requireDrain(dependencies, id);
  const eligibility = guardEligible(cluster.registry, { lost: new Set([id]) }, body);
  const { sessions, sessionsSeenOnce, inFlight } = cluster.registry.unfinished(id);
  const left = `${sessionsText(sessions, sessionsSeenOnce)} fail over, ${inFlight} in flight${eligibility.text}`;
  if (body.dryRun === true) {
    const message = `the drain of node ${id} would end now and the node would be stopped: ${left}`;
    return { ...shownOf(dependencies, id), isChanged: true, isDryRun: true, message, ...eligibility.shown };
  }
  const { reason } = body;
  const by = identityOf(request).name;
  const outcome = cluster.apply(
    {
      type: 'operator-status',
      target: { type: 'node', id },
      status: 'stopped',
      by,
      reason: reason ?? 'the drain was ended',
    },
    originOf(request),
  );
  if ('type' in outcome) throw new Refusal(outcome);
  const message = `the drain of node ${id} has ended and the node is stopped: ${left}`;
  return {
    ...shownOf(dependencies, id),
    isChanged: outcome.length > 0,
    isDryRun: false,
    message,
    ...eligibility.shown,
  };
}

function shownOf({ cluster }: Dependencies, id: NodeId): Pick<WriteResult, 'nodes'> {
  return writeTargets(cluster, [{ id }]).shown;
}
