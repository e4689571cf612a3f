/** `POST /v1/reload`: the program that started this coordinator reads its settings again. */
import type { ReloadResult } from '@rollcall/protocol';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import { Refusal } from './refusal.ts';
import { ProblemSchema, ReloadResultSchema } from './schemas.ts';
import type { Surroundings } from './surroundings.ts';

export function addReload(app: AdminApp, { config, history }: Surroundings): void {
  app.post(
    '/v1/reload',
    {
      config: { role: 'admin' },
      schema: {
        summary: 'Read flags, environment and settings file again; new workers take over, the old ones finish',
        response: { 200: ReloadResultSchema, '4xx': ProblemSchema },
      },
    },
    async (request): Promise<ReloadResult> => {
      if (config.reload === undefined)
        throw new Refusal({ code: 'conflict', message: 'this coordinator was not started by rollcall up' });
      let message: string;
      try {
        message = await config.reload();
      } catch (error) {
        throw new Refusal({ code: 'conflict', message: (error as Error).message });
      }
      history.did('reload', message, { by: identityOf(request).name, ...originOf(request) });
      return { message };
    },
  );
}
