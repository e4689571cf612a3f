import { type Decision, MAX_DECISIONS, MAX_DECISIONS_MS } from '@rollcall/protocol';
import type { AdminApp } from './admin-app.ts';
import { Refusal } from './refusal.ts';
import { DecisionsBodySchema, DecisionsSchema, ProblemSchema } from './schemas.ts';
import type { Surroundings } from './surroundings.ts';

/** Workers are asked again after so long: one that has nothing to choose shall not keep what others have chosen. */
const ROUND_MS = 300;
/** Beyond the time that a worker is given, milliseconds. */
const MARGIN_MS = 2_000;
const DEFAULT_COUNT = 20;
const DEFAULT_MS = 5_000;

/** `POST /v1/decisions`: what the workers choose from now on, for some seconds, and why. */
export function addDecisions(app: AdminApp, { cluster, feed }: Surroundings): void {
  app.post(
    '/v1/decisions',
    {
      config: { role: 'viewer' },
      schema: {
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
        // All workers have left, or cannot say more.
        if (answers.length === 0) break;
      }
      decisions.sort((one, other) => one.atUnixMs - other.atUnixMs);
      return { decisions: decisions.slice(0, count) };
    },
  );
}
