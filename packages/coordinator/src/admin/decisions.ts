import { type Decision, MAX_DECISIONS, MAX_DECISIONS_MS } from '@rollcall/feed';
import type { AdminApp } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { Refusal } from './refusal.ts';
import { DecisionsBodySchema, DecisionsSchema, ProblemSchema } from './schemas.ts';

/** Interval between requests to the workers, milliseconds: a worker without decisions must not delay those of other workers. */
const ROUND_MS = 300;
/** Added to the time that a worker gets, milliseconds. */
const MARGIN_MS = 2_000;
const DEFAULT_COUNT = 20;
const DEFAULT_MS = 5_000;

/** `POST /v1/decisions`: records the routing decisions of all workers for some seconds, with reasons. */
export function addDecisions(app: AdminApp, { cluster, feed }: Dependencies): void {
  app.post(
    '/v1/decisions',
    {
      config: { role: 'viewer', errors: ['worker-unavailable'] },
      schema: {
        operationId: 'recordDecisions',
        summary: `The next choices of all workers: at most ${MAX_DECISIONS}, within at most ${MAX_DECISIONS_MS / 1_000} s`,
        body: DecisionsBodySchema,
        response: { 200: DecisionsSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
      },
    },
    async ({ body: { count = DEFAULT_COUNT, forMs = DEFAULT_MS, onlyPicks = false } }) => {
      if (feed.workers.connected === 0)
        throw new Refusal({ code: 'worker-unavailable', message: 'no proxy worker is connected to answer this' });
      const endMs = cluster.clocks.nowMs() + forMs;
      const decisions: Decision[] = [];
      while (decisions.length < count) {
        const leftMs = Math.min(ROUND_MS, endMs - cluster.clocks.nowMs());
        if (leftMs < 1) break;
        const question = { type: 'decisions', count: count - decisions.length, forMs: leftMs, onlyPicks } as const;
        const answers = await feed.askAll(question, leftMs + MARGIN_MS);
        decisions.push(...answers.flatMap((answer) => (answer.type === 'decisions' ? answer.decisions : [])));
        // No worker is connected any more, or none can record more decisions.
        if (answers.length === 0) break;
      }
      decisions.sort((one, other) => one.atUnixMs - other.atUnixMs);
      return { decisions: decisions.slice(0, count) };
    },
  );
}
