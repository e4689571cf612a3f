import type { AdminApp } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';

/** `/livez`: the process is alive. `/readyz`: the coordinator accepts agents and operators. The answers contain no other data. */
export function addHealth(app: AdminApp, { isReady }: Dependencies): void {
  const options = { config: { role: 'anybody' }, schema: { hide: true } } as const;
  app.get('/livez', options, async (_, reply) => reply.type('text/plain').send('ok\n'));
  app.get('/readyz', options, async (_, reply) =>
    isReady() ? reply.type('text/plain').send('ok\n') : reply.code(503).type('text/plain').send('not ready\n'),
  );
}
