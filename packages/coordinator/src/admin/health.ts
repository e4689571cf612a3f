import type { AdminApp } from './admin-app.ts';
import type { Surroundings } from './surroundings.ts';

/** `/livez` answers as long as the process does; `/readyz` while agents and operators are welcome. They tell nothing else. */
export function addHealth(app: AdminApp, { isReady }: Surroundings): void {
  const options = { config: { role: 'anybody' }, schema: { hide: true } } as const;
  app.get('/livez', options, async (_, reply) => reply.type('text/plain').send('ok\n'));
  app.get('/readyz', options, async (_, reply) =>
    isReady() ? reply.type('text/plain').send('ok\n') : reply.code(503).type('text/plain').send('not ready\n'),
  );
}
