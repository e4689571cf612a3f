import { statusResource } from '../status-resource.ts';
import { type AdminApp, sendJson } from './admin-app.ts';
import { StatusSchema } from './schemas.ts';
import type { Surroundings } from './surroundings.ts';

/** `GET /v1/status`: the cluster at a glance, with what an operator should know. */
export function addStatus(app: AdminApp, around: Surroundings): void {
  app.get(
    '/v1/status',
    { config: { role: 'viewer' }, schema: { summary: 'The cluster at a glance', response: { 200: StatusSchema } } },
    async (_, reply) =>
      sendJson(
        reply,
        around.answers.json('status', () => statusResource(around)),
      ),
  );
}
