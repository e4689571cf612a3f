/** `/v1/logins`: logged-in browsers. */
import { Type } from 'typebox';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { Refusal } from './refusal.ts';
import { IdParams, LoginsSchema, ProblemSchema } from './schemas.ts';

export function addLogins(app: AdminApp, { logins, history }: Dependencies): void {
  app.get(
    '/v1/logins',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'listLogins',
        summary: 'Logged-in browsers, newest first, at most 100',
        response: { 200: LoginsSchema, '4xx': ProblemSchema },
      },
    },
    async (request) => ({ logins: logins.list(identityOf(request).login) }),
  );

  app.delete(
    '/v1/logins/:id',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'endLogin',
        summary: 'End a login',
        params: IdParams,
        response: { 204: Type.Null(), '4xx': ProblemSchema },
      },
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
