import type { AdminApp } from './admin-app.ts';
import { knownNode } from './known.ts';
import { Refusal } from './refusal.ts';
import { ExplainAnswerSchema, ExplainBodySchema, IdParams, NodeExplanationSchema, ProblemSchema } from './schemas.ts';
import type { Surroundings } from './surroundings.ts';

/** How long a worker may take, milliseconds. */
const ANSWER_WITHIN_MS = 2_000;

/**
 * `POST /v1/explain`: asks a worker where a request would go, and why; the cookie is neither kept nor logged.
 * `GET /v1/nodes/:id/explain`: why a node's load factor and its part of the traffic are what they are.
 */
export function addExplain(app: AdminApp, { cluster, feed }: Surroundings): void {
  app.get(
    '/v1/nodes/:id/explain',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Why are the load factor of this node and its part of the traffic what they are?',
        params: IdParams,
        response: { 200: NodeExplanationSchema, '4xx': ProblemSchema },
      },
    },
    async (request) => {
      const id = knownNode(cluster, request.params.id);
      const explanation = cluster.explainNode(id);
      if (!explanation) throw new Refusal({ code: 'not-found', message: `there is no node ${id} any more` });
      return explanation;
    },
  );
  app.post(
    '/v1/explain',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Where would this request go, and why?',
        body: ExplainBodySchema,
        response: { 200: ExplainAnswerSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async ({ body: { host = '', target = '/', cookie = '' } }) => {
      const answer = await feed.ask({ type: 'explain', host, target, cookie }, ANSWER_WITHIN_MS);
      if (answer === 'no-worker')
        throw new Refusal({ code: 'worker-unavailable', message: 'no proxy worker is connected to answer this' });
      if (answer?.type === 'failed')
        throw new Refusal({ code: 'internal', message: `the worker cannot explain this request: ${answer.message}` });
      if (answer?.type !== 'explain')
        throw new Refusal({ code: 'timed-out', message: `no worker answered within ${ANSWER_WITHIN_MS} ms` });
      return answer;
    },
  );
}
