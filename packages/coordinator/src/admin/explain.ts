import type { AdminApp } from './admin-app.ts';
import { Refusal } from './refusal.ts';
import { ExplainAnswerSchema, ExplainBodySchema, ProblemSchema } from './schemas.ts';
import type { Surroundings } from './surroundings.ts';

/** How long a worker may take, milliseconds. */
const ANSWER_WITHIN_MS = 2_000;

/** `POST /v1/explain`: asks a worker where a request would go, and why. The cookie is neither kept nor logged. */
export function addExplain(app: AdminApp, { feed }: Surroundings): void {
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
      if (answer?.type !== 'explain')
        throw new Refusal({ code: 'timed-out', message: `no worker answered within ${ANSWER_WITHIN_MS} ms` });
      return answer;
    },
  );
}
