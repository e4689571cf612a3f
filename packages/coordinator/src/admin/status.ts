import { statusResource } from '../status-resource.ts';
import { type AdminApp, sendJson } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { StatusSchema } from './schemas.ts';

/** `GET /v1/status`: the state of the cluster, with advice to the operator. */
export function addStatus(app: AdminApp, dependencies: Dependencies): void {
  app.get(
    '/v1/status',
    {
      config: { role: 'viewer' },
      schema: { operationId: 'getStatus', summary: 'State of the cluster', response: { 200: StatusSchema } },
    },
    async (_, reply) =>
      sendJson(
        reply,
        dependencies.answers.json('status', () => statusResource(dependencies)),
      ),
  );
}
