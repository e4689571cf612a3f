import type { AdminApp } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { knownNode } from './known.ts';
import { Refusal } from './refusal.ts';
import { ExplainAnswerSchema, ExplainBodySchema, IdParams, NodeExplanationSchema, ProblemSchema } from './schemas.ts';

/** Time limit for the answer of a worker, milliseconds. */
const ANSWER_WITHIN_MS = 2_000;

/**
 * `POST /v1/explain`: asks a worker how it would route a request. The cookie is neither stored nor logged.
 * `GET /v1/nodes/:id/explain`: explains the load factor and the traffic share of a node.
 */
export function addExplain(app: AdminApp, { cluster, feed }: Dependencies): void {
  app.get(
    '/v1/nodes/:id/explain',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'explainNode',
        summary: 'Explain the load factor and the traffic share of a node',
        params: IdParams,
        response: { 200: NodeExplanationSchema, '4xx': ProblemSchema },
      },
    },
    async (request) => {
      const id = knownNode(cluster, request.params.id);
      const explanation = cluster.explainNode(id);
      if (!explanation) throw new Refusal({ code: 'not-found', message: `node ${id} no longer exists` });
      return explanation;
    },
  );
  app.post(
    '/v1/explain',
    {
      config: { role: 'viewer', errors: ['worker-unavailable', 'timed-out'] },
      schema: {
        operationId: 'explainRequest',
        summary: 'Explain how a request would be routed',
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
