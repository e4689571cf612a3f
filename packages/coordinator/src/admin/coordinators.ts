/** `/v1/coordinators`: the coordinators of the cluster. */
import type { AppliedResource, CoordinatorsResource } from '@rollcall/protocol';
import { Type } from 'typebox';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { Refusal } from './refusal.ts';
import { AppliedSchema, CoordinatorsSchema, NameParams, ProblemSchema } from './schemas.ts';

const AppliedQuerySchema = Type.Object(
  {
    withinMs: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,4}$',
        description: 'longest time that the answer waits, 0 to 9999 ms (default: 1000)',
      }),
    ),
  },
  { additionalProperties: false },
);

export function addCoordinators(app: AdminApp, { sharedSync, history }: Dependencies): void {
  app.get(
    '/v1/coordinators',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'listCoordinators',
        summary: 'Coordinators of the cluster, this one first; empty for the only one',
        response: { 200: CoordinatorsSchema, '4xx': ProblemSchema },
      },
    },
    async (): Promise<CoordinatorsResource> => ({ coordinators: sharedSync?.status.coordinators ?? [] }),
  );

  app.get(
    '/v1/coordinators/applied',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'getAppliedCoordinators',
        summary: 'Where all changes that this coordinator has taken until now are in force; waits for the others',
        querystring: AppliedQuerySchema,
        response: { 200: AppliedSchema, '4xx': ProblemSchema },
      },
    },
    async ({ query: { withinMs = '1000' } }): Promise<AppliedResource> =>
      (await sharedSync?.allApplied(Number(withinMs))) ?? { applied: [], pending: [], absent: [] },
  );

  app.delete(
    '/v1/coordinators/:name',
    {
      config: { role: 'operator', errors: ['conflict'] },
      schema: {
        operationId: 'forgetCoordinator',
        summary: 'Forget a coordinator that is down and will not return: drains do not wait for its workers',
        params: NameParams,
        response: { 204: Type.Null(), '4xx': ProblemSchema },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const known = sharedSync?.status.coordinators.find((one) => one.name === name && !one.isOwn);
      if (sharedSync === undefined || known === undefined)
        throw new Refusal({ code: 'not-found', message: `there is no other coordinator ${name.slice(0, 128)}` });
      if (known.liveness !== 'down')
        throw new Refusal({
          code: 'conflict',
          message: `coordinator ${name} is ${known.liveness === 'running' ? 'running' : 'not known to be down'}: only one that is down can be forgotten`,
        });
      await sharedSync.forget(known.id);
      history.did('forget', `coordinator ${name} was forgotten`, {
        by: identityOf(request).name,
        ...originOf(request),
      });
      return reply.code(204).send(null);
    },
  );
}
