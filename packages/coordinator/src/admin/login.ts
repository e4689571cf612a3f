import type { AdminApp } from './admin-app.ts';
import { Refusal } from './refusal.ts';
import { LoginLinkSchema } from './schemas.ts';
import type { Surroundings } from './surroundings.ts';

/** Where a browser arrives after a login. */
const HOME = '/balancer-manager';

/** `GET /login?code=…` changes a one-time code for a cookie; `POST /v1/login-link` makes a new link. */
export function addLogin(app: AdminApp, { gate, logins, controlUrl }: Surroundings): void {
  app.get('/login', { config: { role: 'anybody' }, schema: { hide: true } }, async (request, reply) => {
    const fault = gate.admitVisitor(request.raw);
    if (fault) throw new Refusal(fault);
    const { code } = request.query as { readonly code?: unknown };
    const value = typeof code === 'string' ? logins.redeem(code) : undefined;
    if (value === undefined)
      throw new Refusal({
        code: 'unauthenticated',
        message: 'this link was used before or is too old; ask for a new one',
      });
    return reply.header('set-cookie', gate.loginCookie(request.raw, value)).redirect(HOME, 303);
  });

  app.post(
    '/v1/login-link',
    {
      config: { role: 'admin' },
      schema: { summary: 'A one-time link that logs a browser in', response: { 200: LoginLinkSchema } },
    },
    async () => ({ url: loginUrl(controlUrl(), logins.newCode()) }),
  );
}

export function loginUrl(controlUrl: string, code: string): string {
  return `${controlUrl}/login?code=${code}`;
}
