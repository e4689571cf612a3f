/** `POST /v1/reload` and `POST /v1/rotate`: requests to the program that started this coordinator. */
import type { ReloadResult } from '@rollcall/protocol';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { Refusal } from './refusal.ts';
import { ProblemSchema, ReloadResultSchema } from './schemas.ts';

const VERBS = {
  reload: {
    role: 'admin',
    operationId: 'reloadSettings',
    summary: 'Read flags, environment and settings file again; new workers replace the old ones',
  },
  rotate: { role: 'operator', operationId: 'rotateLogs', summary: 'Reopen the log files after they were renamed' },
} as const;

export function addSupervisorVerbs(app: AdminApp, { config, history }: Dependencies): void {
  for (const verb of ['reload', 'rotate'] as const) {
    const { role, operationId, summary } = VERBS[verb];
    app.post(
      `/v1/${verb}`,
      {
        config: { role, errors: ['conflict'] },
        schema: {
          operationId,
          tags: ['coordinator'],
          summary,
          response: { 200: ReloadResultSchema, '4xx': ProblemSchema },
        },
      },
      async (request): Promise<ReloadResult> => {
        const act = config[verb];
        if (act === undefined)
          throw new Refusal({ code: 'conflict', message: 'this coordinator was not started by rollcall up' });
        let message: string;
        try {
          message = await act();
        } catch (error) {
          throw new Refusal({ code: 'conflict', message: (error as Error).message });
        }
        history.did(verb, message, { by: identityOf(request).name, ...originOf(request) });
        const note = await history.auditNote();
        return { message, ...(note !== undefined && { note }) };
      },
    );
  }
}
