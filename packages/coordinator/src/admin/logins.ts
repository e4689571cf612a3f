/** `/v1/logins`: the browsers that are logged in. */
import { Type } from 'typebox';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import { Refusal } from './refusal.ts';
import { IdParams, LoginsSchema, ProblemSchema } from './schemas.ts';
import type { Surroundings } from './surroundings.ts';

export function addLogins(app: AdminApp, { logins, history }: Surroundings): void {
  app.get(
    '/v1/logins',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Browsers that are logged in, at most 100, the newest first',
        response: { 200: LoginsSchema, '4xx': ProblemSchema },
      },
    },
    async (request) => ({ logins: logins.list(identityOf(request).login) }),
  );

  app.delete(
    '/v1/logins/:id',
    {
      config: { role: 'admin' },
      schema: { summary: 'End a login', params: IdParams, response: { 204: Type.Null(), '4xx': ProblemSchema } },
    },
    async (request, reply) => {
      const { id } = request.params;
      const ended = await logins.end(id);
      if (!ended) throw new Refusal({ code: 'not-found', message: `there is no login ${id.slice(0, 64)}` });
      history.did('logout', `login ${id} has ended`, { by: identityOf(request).name, ...originOf(request) });
      return reply.code(204).send(null);
    },
  );
}
