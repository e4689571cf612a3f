/** drain, enable and stop, for a node, the nodes of a balancer or group, or the nodes that a selector matches. */
import type { NodeView, Registry, SessionsEnd, Target } from '@rollcall/core';
import type { ContextPath, GroupName, NodeId, Status, StatusBody, Where, WriteResult } from '@rollcall/protocol';
import {
  compactDuration,
  durationText,
  matchesWhere,
  noMatchText,
  parseContextPath,
  parseGroupName,
  sessionsText,
} from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import type { Cluster } from '../cluster.ts';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { guardEligible } from './eligible-guard.ts';
import { knownBalancer, matchedNode, unknown } from './known.ts';
import { previewed } from './preview.ts';
import { Refusal } from './refusal.ts';
import {
  IdParams,
  NameParams,
  ProblemSchema,
  SelectedStatusBodySchema,
  StatusBodySchema,
  WriteResultSchema,
} from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import { type WriteTargets, writeTargets } from './write-targets.ts';

/** Codes of the errors of all verbs, for the document. */
const errors = ['nobody-eligible', 'budget', 'conflict'] as const;
/** Nodes that one message names. */
const MAX_NAMED = 10;

const VERBS: Readonly<Record<string, Status>> = { drain: 'draining', enable: 'enabled', stop: 'stopped' };

export function addVerbs(app: AdminApp, dependencies: Dependencies): void {
  const { cluster } = dependencies;
  for (const [verb, status] of Object.entries(VERBS)) {
    const schema = (of: string, summary: string) => ({
      operationId: `${verb}${of}`,
      summary,
      body: StatusBodySchema,
      response: { 200: WriteResultSchema, 202: WriteResultSchema, '4xx': ProblemSchema },
    });
    app.post(
      `/v1/nodes/:id/${verb}`,
      {
        config: { role: 'operator', honoursIfMatch: true, errors },
        schema: { ...schema('Node', `${verb} one node`), params: IdParams },
      },
      async (request) => {
        const id = matchedNode(cluster, request.params.id, request);
        const { contexts } = request.body;
        if (contexts) {
          const wanted = { id, contexts: contexts.map(contextPath) };
          return requestContextStatus(dependencies, wanted, status, request.body, request);
        }
        return requestStatus(dependencies, { type: 'node', id }, status, request.body, request);
      },
    );
    app.post(
      `/v1/nodes/${verb}`,
      {
        config: { role: 'operator', errors: [...errors, 'not-found'] },
        schema: { ...schema('Nodes', `${verb} all nodes that match a selector`), body: SelectedStatusBodySchema },
      },
      async (request) => {
        const { where, ...body } = request.body;
        const target = { type: 'nodes', ids: selected(cluster, where) } as const;
        return requestStatus(dependencies, target, status, body, request);
      },
    );
    app.post(
      `/v1/balancers/:name/${verb}`,
      {
        config: { role: 'operator', errors },
        schema: { ...schema('Balancer', `${verb} all nodes of a balancer`), params: NameParams },
      },
      async (request) => {
        const name = knownBalancer(cluster, request.params.name);
        return requestStatus(dependencies, { type: 'balancer', name }, status, request.body, request);
      },
    );
    app.post(
      `/v1/groups/:name/${verb}`,
      {
        config: { role: 'operator', errors },
        schema: { ...schema('Group', `${verb} all nodes of a group`), params: NameParams },
      },
      async (request) => {
        const name = knownGroup(cluster, request.params.name);
        return requestStatus(dependencies, { type: 'group', name }, status, request.body, request);
      },
    );
  }
}

function contextPath(text: string): ContextPath {
  const path = parseContextPath(text);
  if (path === undefined)
    throw new Refusal({ code: 'bad-field', message: `contexts: ${text} is not a path like /app` });
  return path;
}

/** Ids of the nodes that match and are not gone, in ascending order. Ends with 404 that names the possible values if there is none. */
function selected({ registry }: Cluster, where: Where): NodeId[] {
  const present = [...registry.nodes()].filter(({ liveness }) => liveness !== 'gone');
  const ids = present.filter(({ registration }) => matchesWhere(where, registration)).map(({ id }) => id);
  if (ids.length > 0) return ids.sort();
  const message = noMatchText(
    where,
    present.map(({ registration }) => registration),
  );
  throw new Refusal({ code: 'not-found', message });
}

function knownGroup(cluster: Cluster, text: string): GroupName {
  const groups = new Set<string>();
  for (const { registration } of cluster.registry.nodes()) if (registration.group) groups.add(registration.group);
  const name = parseGroupName(text);
  if (name === undefined || !groups.has(name)) throw unknown('group', text, groups);
  return name;
}

/** Applies the operator's request; with `dryRun` only reports which nodes it concerns. */
async function requestStatus(
  dependencies: Dependencies,
  target: Target,
  status: Status,
  body: StatusBody,
  request: FastifyRequest,
): Promise<WriteResult> {
  const { cluster } = dependencies;
  const { registry } = cluster;
  const { dryRun = false, reason, deadlineMs, forMs, contexts } = body;
  if (contexts)
    throw new Refusal({ code: 'bad-field', message: 'contexts needs one node; send the request to /v1/nodes/:id' });
  const concerned = targetsOf(cluster, target);
  const lost = new Set(status === 'enabled' ? [] : concerned.ids);
  const absent = absentEnabled(registry, target, status);
  const eligibility = guardEligible(registry, { lost }, body);
  if (dryRun) {
    const { ids, shown } = concerned;
    const isChanged = ids.some((id) => registry.node(id)?.operatorStatus.status !== status);
    const preview = previewed(registry, { lost }, endOf(status, deadlineMs));
    const effect = absentText(absent, true) + eligibility.text + preview.text;
    const message = sentence(registry, target, ids, status, isChanged, true) + effect;
    const effects = { ...eligibility.shown, ...preview.shown };
    return { ...shown, isChanged: isChanged || absent.length > 0, isDryRun: true, message, ...effects };
  }
  const earlier = earlierDeadline(registry, concerned.ids, status);
  const outcome = cluster.apply(
    {
      type: 'operator-status',
      target,
      status,
      by: identityOf(request).name,
      ...(reason !== undefined && { reason }),
      ...(deadlineMs !== undefined && { deadlineMs }),
      ...(forMs !== undefined && { forMs }),
    },
    originOf(request),
  );
  if ('type' in outcome) throw new Refusal(outcome);
  const { ids, shown } = targetsOf(cluster, target);
  const changed = new Set(outcome.flatMap((event) => (event.type === 'status' ? [event.id] : [])));
  const deadline = deadlineText(earlier, cluster.clocks.nowMs(), deadlineMs);
  const isNow = ids.some((id) => changed.has(id)) && deadline === '';
  const message =
    sentence(registry, target, ids, status, isNow, false) + absentText(absent, false) + deadline + eligibility.text;
  const answer = { ...shown, isChanged: changed.size > 0, isDryRun: false, message, ...eligibility.shown };
  return storedAnswer(dependencies, answer, [...ids, ...absent]);
}

/** What becomes of the sessions on the nodes. */
function endOf(status: Status, deadlineMs: number | undefined): SessionsEnd {
  return { kind: status === 'draining' ? 'stay' : 'move', deadlineMs };
}

/** The same for contexts of one node. */
async function requestContextStatus(
  dependencies: Dependencies,
  { id, contexts }: { readonly id: NodeId; readonly contexts: readonly ContextPath[] },
  status: Status,
  { dryRun = false, force = false, reason, deadlineMs, forMs }: StatusBody,
  request: FastifyRequest,
): Promise<WriteResult> {
  const { cluster } = dependencies;
  const { registry } = cluster;
  if (deadlineMs !== undefined || forMs !== undefined)
    throw new Refusal({ code: 'bad-field', message: 'deadlineMs and forMs are for whole nodes, not for contexts' });
  const lost = new Set(status === 'enabled' ? [] : [id]);
  const eligibility = guardEligible(registry, { lost }, { dryRun, force }, 'would', new Set(contexts));
  const are = `${contexts.join(', ')} of node ${id}`;
  if (dryRun) {
    const node = registry.node(id);
    const isChanged = contexts.some((path) => (node?.operatorContexts.get(path) ?? 'enabled') !== status);
    const message = `${are} would be ${status}${eligibility.text}`;
    return { ...shownOf(cluster, id), isChanged, isDryRun: true, message, ...eligibility.shown };
  }
  const by = identityOf(request).name;
  const outcome = cluster.apply(
    { type: 'operator-context-status', id, contexts, status, by, ...(reason !== undefined && { reason }) },
    originOf(request),
  );
  if ('type' in outcome) throw new Refusal(outcome);
  const isChanged = outcome.length > 0;
  const message = `${are} ${contexts.length === 1 ? 'is' : 'are'} ${isChanged ? 'now' : 'already'} ${status}${eligibility.text}`;
  const answer = { ...shownOf(cluster, id), isChanged, isDryRun: false, message, ...eligibility.shown };
  return storedAnswer(dependencies, answer, [id]);
}

function shownOf(cluster: Cluster, id: NodeId): WriteTargets['shown'] {
  return targetsOf(cluster, { type: 'node', id }).shown;
}

/** The named node, gone or not, or all nodes of the balancer or group that are not gone. */
function targetsOf(cluster: Cluster, target: Target): WriteTargets {
  const { registry } = cluster;
  if (target.type === 'node')
    return writeTargets(
      cluster,
      [registry.node(target.id)].filter((node) => node !== undefined),
    );
  return writeTargets(
    cluster,
    membersOf(registry, target).filter(({ liveness }) => liveness !== 'gone'),
  );
}

function membersOf(registry: Registry, target: Exclude<Target, { type: 'node' }>): NodeView[] {
  if (target.type === 'nodes') return target.ids.map((id) => registry.node(id)).filter((node) => node !== undefined);
  if (target.type === 'balancer') return [...registry.nodesIn(target.name)];
  return [...registry.nodes()].filter(({ registration }) => registration.group === target.name);
}

/** Gone nodes whose requested status the registry changes when all nodes of a balancer or group are enabled. */
function absentEnabled(registry: Registry, target: Target, status: Status): NodeId[] {
  if (target.type === 'node' || status !== 'enabled') return [];
  return membersOf(registry, target)
    .filter(({ liveness, operatorStatus }) => liveness === 'gone' && operatorStatus.status !== 'enabled')
    .map(({ id }) => id);
}

function absentText({ length }: readonly NodeId[], isDryRun: boolean): string {
  if (length === 0) return '';
  const [nodes, they] = length === 1 ? ['node', 'it returns'] : ['nodes', 'they return'];
  return `; ${length} absent ${nodes} ${isDryRun ? 'would' : 'will'} be enabled when ${they}`;
}

/** The latest deadline of those nodes that have this status already; `undefined` when none of them has it, `Infinity` without a deadline. */
function earlierDeadline(registry: Registry, ids: readonly NodeId[], status: Status): number | undefined {
  let latestAtMs: number | undefined;
  for (const id of ids) {
    const wanted = registry.node(id)?.operatorStatus;
    if (status === 'enabled' || wanted?.status !== status) continue;
    latestAtMs = Math.max(latestAtMs ?? 0, wanted.deadlineAtMs ?? Number.POSITIVE_INFINITY);
  }
  return latestAtMs;
}

/** What a repeat does to the deadline `earlierAtMs`; `''` if it is none or changes nothing. */
export function deadlineText(earlierAtMs: number | undefined, nowMs: number, deadlineMs: number | undefined): string {
  if (earlierAtMs === undefined || deadlineMs === undefined) return '';
  const leftMs = earlierAtMs - nowMs;
  const verb = deadlineMs > leftMs ? 'extended' : 'shortened';
  const before =
    leftMs === Number.POSITIVE_INFINITY
      ? 'it had none'
      : leftMs <= 0
        ? 'it was over'
        : `it was ${compactDuration(leftMs)}`;
  return deadlineMs === leftMs ? '' : `; the deadline is ${verb} to ${durationText(deadlineMs)} from now (${before})`;
}

function sentence(
  registry: Registry,
  target: Target,
  ids: readonly NodeId[],
  status: Status,
  isChanged: boolean,
  isDryRun: boolean,
): string {
  const is = ids.length === 1 ? 'is' : 'are';
  const verb = isDryRun ? 'would be' : `${is} ${isChanged ? 'now' : 'already'}`;
  const left = status === 'enabled' ? '' : `: ${unfinishedText(registry, ids)}`;
  if (target.type === 'node') {
    const node = registry.node(target.id);
    if (node === undefined) return `node ${target.id} is no longer there`;
    const returns = `${isDryRun ? 'it would be' : 'it is'} ${status}`;
    if (node.liveness !== 'gone') return `node ${target.id} ${verb} ${status}${left}`;
    return status === 'enabled'
      ? `node ${target.id} ${absenceText(node)}: ${returnText(node)}; ${returns} when it registers again`
      : `node ${target.id} ${absenceText(node)}: nothing ${status === 'draining' ? 'drains' : 'stops'}; if it registers again, ${returns}`;
  }
  if (ids.length === 0) return `no node ${ofTarget(target, ids)} is present`;
  const nodes = `${ids.length} ${ids.length === 1 ? 'node' : 'nodes'} ${ofTarget(target, ids)}`;
  return `${nodes} ${verb} ${status}${left}`;
}

/** `of balancer shop`, `(a, b and 3 more)`. */
function ofTarget(target: Exclude<Target, { type: 'node' }>, ids: readonly NodeId[]): string {
  if (target.type !== 'nodes') return `of ${target.type} ${target.name}`;
  const more = ids.length - MAX_NAMED;
  return `(${ids.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''})`;
}

/** Why the node is not there. */
function absenceText({ goneCause }: NodeView): string {
  switch (goneCause) {
    case 'removed':
      return 'was removed by an operator';
    case 'left':
      return 'has left';
    default:
      return 'is gone';
  }
}

/** How the node comes back. */
function returnText({ goneCause, registration }: NodeView): string {
  switch (goneCause) {
    case 'removed':
      return registration.copies === undefined
        ? 'start its program again, or add its address again'
        : `rollcall scale ${registration.balancer}=N starts its program again`;
    case 'left':
      return 'start its program again';
    default:
      return 'check its program and its machine';
  }
}

function unfinishedText(registry: Registry, ids: readonly NodeId[]): string {
  let [sessions, sessionsSeenOnce, inFlight, tunnels] = [0, 0, 0, 0];
  for (const id of ids) {
    const unfinished = registry.unfinished(id);
    sessions += unfinished.sessions;
    sessionsSeenOnce += unfinished.sessionsSeenOnce;
    inFlight += unfinished.inFlight;
    tunnels += unfinished.tunnels;
  }
  const open = tunnels === 0 ? '' : `, ${tunnels} ${tunnels === 1 ? 'tunnel' : 'tunnels'}`;
  return `${sessionsText(sessions, sessionsSeenOnce)}, ${inFlight} in flight${open}`;
}
