import { ageText, type KeptDecisions, MAX_PAST_DECISIONS, type PastDecisionResource } from '@rollcall/protocol';
import type { AdminApp } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { knownBalancer, knownNode } from './known.ts';
import { Refusal } from './refusal.ts';
import {
  PastDecisionSchema,
  PastDecisionsQuerySchema,
  PastDecisionsSchema,
  ProblemSchema,
  RequestIdParams,
} from './schemas.ts';

/** Time limit for the answers of the workers, milliseconds. */
const ANSWER_WITHIN_MS = 2_000;
const DEFAULT_LIMIT = 100;

/**
 * `GET /v1/decisions`: finished requests that the workers of this coordinator still keep. `GET /v1/decisions/:requestId`: one of them by the
 * id in its answer, in the access log, or on an error page.
 */
export function addPastDecisions(app: AdminApp, { cluster, feed }: Dependencies): void {
  const ask = async (
    question: Omit<Extract<Parameters<typeof feed.askAll>[0], { type: 'past-decisions' }>, 'type'>,
  ): Promise<{ readonly found: readonly PastDecisionResource[]; readonly workers: readonly KeptDecisions[] }> => {
    if (feed.workers.connected === 0)
      throw new Refusal({ code: 'worker-unavailable', message: 'no proxy worker is connected to answer this' });
    const answers = await feed.askAll({ type: 'past-decisions', ...question }, ANSWER_WITHIN_MS);
    const kept = answers.flatMap((answer) => (answer.type === 'past-decisions' ? [answer] : []));
    if (kept.length === 0)
      throw new Refusal({ code: 'timed-out', message: `no worker answered within ${ANSWER_WITHIN_MS} ms` });
    const found = kept.flatMap(({ worker, decisions }) => decisions.map((decision) => ({ decision, worker })));
    found.sort((one, other) => other.decision.atUnixMs - one.decision.atUnixMs);
    return {
      found: found.slice(0, question.limit),
      workers: kept.map(({ type: _type, decisions: _decisions, ...rest }) => rest),
    };
  };
  app.get(
    '/v1/decisions',
    {
      config: { role: 'viewer', errors: ['worker-unavailable', 'timed-out'] },
      schema: {
        operationId: 'listPastDecisions',
        summary: 'The last finished requests, with the decisions of the workers, newest first',
        querystring: PastDecisionsQuerySchema,
        response: { 200: PastDecisionsSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async ({ query: { node, balancer, status, limit } }) => {
      const { found, workers } = await ask({
        ...(node !== undefined && { node: knownNode(cluster, node) }),
        ...(balancer !== undefined && { balancer: knownBalancer(cluster, balancer) }),
        ...(status !== undefined && { status: Number.parseInt(status, 10) }),
        limit: limitOf(limit),
      });
      return { decisions: found, workers };
    },
  );
  app.get(
    '/v1/decisions/:requestId',
    {
      config: { role: 'viewer', errors: ['worker-unavailable', 'timed-out'] },
      schema: {
        operationId: 'getPastDecision',
        summary: 'The decision for one request, by its id',
        params: RequestIdParams,
        response: { 200: PastDecisionSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async ({ params: { requestId } }) => {
      const { found, workers } = await ask({ requestId, limit: 1 });
      const [first] = found;
      if (first !== undefined) return first;
      const nowUnixMs = cluster.clocks.nowUnixMs();
      const message = `no worker of this coordinator keeps request ${requestId}: ${workers.map((worker) => keptText(worker, nowUnixMs)).join('; ')}. A request is kept from its end on`;
      throw new Refusal({ code: 'not-found', message });
    },
  );
}

/** `worker local-0 keeps 10000 requests, which go back 42 s`. */
function keptText({ worker, kept, sinceUnixMs }: KeptDecisions, nowUnixMs: number): string {
  if (sinceUnixMs === undefined) return `worker ${worker} keeps none yet`;
  return `worker ${worker} keeps ${kept} requests, which go back ${ageText(nowUnixMs - sinceUnixMs)}`;
}

/** Throws a Refusal that names the bound. */
function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (limit >= 1 && limit <= MAX_PAST_DECISIONS) return limit;
  throw new Refusal({
    code: 'bad-field',
    message: `limit is not a whole number from 1 to ${MAX_PAST_DECISIONS}`,
  });
}
