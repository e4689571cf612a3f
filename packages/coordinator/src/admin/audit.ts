/** `GET /v1/audit`: who has changed what, from the audit files. `POST /v1/undo`: puts back what a change has replaced. */
import type { AuditPage, AuditResource, UndoBody, WriteResult } from '@rollcall/protocol';
import type { FastifyRequest } from 'fastify';
import { readEntries, type StoredEntry } from '../events/audit-reader.ts';
import type { Change } from '../events/changes.ts';
import { type AdminApp, changeIdOf, identityOf, originOf } from './admin-app.ts';
import { AuditPageSchema, type AuditQuery, AuditQuerySchema, UndoBodySchema } from './audit-schemas.ts';
import type { Dependencies } from './dependencies.ts';
import { guardEligible } from './eligible-guard.ts';
import { limitOf } from './paging.ts';
import { Refusal } from './refusal.ts';
import { ProblemSchema, WriteResultSchema } from './schemas.ts';
import { storedAnswer } from './stored-answer.ts';
import { writeTargets } from './write-targets.ts';

export function addAudit(app: AdminApp, dependencies: Dependencies): void {
  app.get(
    '/v1/audit',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'listAudit',
        summary: 'Entries of the audit, newest first; refusals have a what that begins with refused',
        querystring: AuditQuerySchema,
        response: { 200: AuditPageSchema, '4xx': ProblemSchema },
      },
    },
    async ({ query }) => page(dependencies, query),
  );

  app.post(
    '/v1/undo',
    {
      config: { role: 'operator', errors: ['not-found', 'conflict', 'nobody-eligible', 'budget'] },
      schema: {
        operationId: 'undoChange',
        summary: 'Put back what a change has replaced: status, overrides, settings of a balancer, acknowledgement',
        body: UndoBodySchema,
        response: { 200: WriteResultSchema, 202: WriteResultSchema, '4xx': ProblemSchema },
      },
    },
    async (request) => undo(dependencies, request.body, request),
  );
}

async function page({ history, cluster }: Dependencies, query: AuditQuery): Promise<AuditPage> {
  const { by, what, node, balancer, sinceUnixMs, untilUnixMs, after } = query;
  const kinds = what === undefined ? undefined : new Set(what.split(',').map((word) => word.trim()));
  const from = Number(sinceUnixMs ?? 0);
  const until = Number(untilUnixMs ?? Number.POSITIVE_INFINITY);
  const isWanted = (entry: StoredEntry): boolean =>
    (by === undefined || entry['by'] === by) &&
    (kinds === undefined || kinds.has(entry.what) || kinds.has(entry.what.split(' ')[0]!)) &&
    (node === undefined || entry['node'] === node) &&
    (balancer === undefined || entry['balancer'] === balancer) &&
    entry.atUnixMs >= from &&
    entry.atUnixMs <= until;
  // Entries that wait for the disk would be missing.
  await history.auditNote();
  const beforeId = after === undefined ? Number.POSITIVE_INFINITY : Number(after);
  const { entries, next } = await readEntries(history.audit.path, { limit: limitOf(query), beforeId, isWanted });
  return {
    entries: entries.map((entry) => resourceOf(entry, (id) => cluster.changes.canUndo(id))),
    ...(next !== undefined && { next: String(next) }),
  };
}

/** Other fields of the file are its own. */
function resourceOf(entry: StoredEntry, canUndo: (changeId: string) => boolean): AuditResource {
  const { isEvent: _, change, code: __, count: ___, ...shown } = entry;
  const changeId = typeof change === 'string' ? change : undefined;
  return {
    ...shown,
    ...(changeId !== undefined && { changeId }),
    ...(changeId !== undefined && canUndo(changeId) && { canUndo: true }),
  };
}

async function undo(
  dependencies: Dependencies,
  { changeId, reason, dryRun = false, force = false }: UndoBody,
  request: FastifyRequest,
): Promise<WriteResult> {
  const { cluster } = dependencies;
  const { changes, registry } = cluster;
  const by = identityOf(request).name;
  const change = knownChange(dependencies, changeId, by);
  const command = changes.undoOf(change, by, reason);
  const more = command.nodes.filter(({ before }) => before.operatorStatus.status !== 'enabled');
  const lost = new Set(
    more.filter(({ before, after }) => before.operatorStatus !== after.operatorStatus).map(({ id }) => id),
  );
  const eligibility = guardEligible(registry, { lost }, { dryRun, force });
  const ids = command.nodes.map(({ id }) => id);
  const shown = () =>
    writeTargets(
      cluster,
      ids.map((id) => ({ id })),
    ).shown;
  const what = changeText(change);
  if (dryRun) {
    const message = `would undo ${what}${eligibility.text}`;
    return { ...shown(), isChanged: true, isDryRun: true, message, ...eligibility.shown };
  }
  const outcome = cluster.apply(command, originOf(request));
  if ('type' in outcome)
    throw new Refusal({ ...outcome, message: `${outcome.message}: change ${change.id} is not undone` });
  changes.undone(change.id, changeIdOf(request));
  const message = `undone: ${what}${eligibility.text}`;
  return storedAnswer(
    dependencies,
    { ...shown(), isChanged: true, isDryRun: false, message, ...eligibility.shown },
    ids,
  );
}

function knownChange({ cluster: { changes } }: Dependencies, id: string | undefined, by: string): Change {
  const change = id === undefined ? changes.lastOf(by) : changes.get(id);
  if (change === undefined)
    throw new Refusal({
      code: 'not-found',
      message:
        id === undefined
          ? `there is no change of ${by} to undo: the last 100 changes of 24 h are kept, until the coordinator restarts`
          : `there is no change ${id.slice(0, 64)} to undo: the last 100 changes of 24 h are kept, until the coordinator restarts`,
    });
  if (change.final !== undefined)
    throw new Refusal({ code: 'conflict', message: `change ${change.id} cannot be undone: ${change.final}` });
  if (!changes.canUndo(change.id))
    throw new Refusal({ code: 'conflict', message: `change ${change.id} was undone before` });
  return change;
}

/** `change 5f0c2a… of ann: nodes shop-1 and 3 more`. */
function changeText({ id, by, nodes, balancers }: Change): string {
  const [first] = nodes.keys();
  const parts = [
    ...(first === undefined ? [] : [`node ${first}${nodes.size > 1 ? ` and ${nodes.size - 1} more` : ''}`]),
    ...Array.from(balancers.keys(), (name) => `balancer ${name}`),
  ];
  return `change ${id} of ${by}: ${parts.join(', ')}`;
}
