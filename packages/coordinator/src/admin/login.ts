import { Type } from 'typebox';
import { loginPage } from '../pages/login-page.ts';
import { PAGE_FIELDS } from '../pages/page-fields.ts';
import { type AdminApp, identityOf, originOf } from './admin-app.ts';
import type { Dependencies } from './dependencies.ts';
import { Refusal } from './refusal.ts';
import { LoginLinkSchema, ProblemSchema } from './schemas.ts';

/**
 * `GET /login?code=…` exchanges a one-time code for a login. `POST /v1/login-link` creates a new link. `POST /v1/logout` ends the
 * login of the requesting browser.
 */
export function addLogin(app: AdminApp, { gate, logins, history, controlUrl }: Dependencies): void {
  app.get('/login', { config: { role: 'anybody' }, schema: { hide: true } }, async (request, reply) => {
    const fault = gate.admitVisitor(request.raw);
    if (fault) throw new Refusal(fault);
    const { code } = request.query as { readonly code?: unknown };
    const { address = 'unknown' } = originOf(request);
    const made =
      typeof code === 'string' ? await logins.redeem(code, address, request.headers['user-agent'] ?? '') : undefined;
    if (made === undefined)
      throw new Refusal({
        code: 'unauthenticated',
        message: 'this link has been used or is older than 1 h; `rollcall login` prints a new one',
      });
    const { login, cookie, pageKey } = made;
    history.did('login', `a browser at ${address} logged in (login ${login.id})`, { by: 'admin', address });
    return reply
      .headers(PAGE_FIELDS)
      .header('cache-control', 'no-store')
      .header('set-cookie', gate.loginCookie(request.raw, cookie))
      .type('text/html; charset=utf-8')
      .send(loginPage(pageKey));
  });

  app.post(
    '/v1/login-link',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'createLoginLink',
        tags: ['logins'],
        summary: 'A one-time link that logs a browser in',
        response: { 200: LoginLinkSchema },
      },
    },
    async () => ({ url: loginUrl(controlUrl(), logins.newCode()) }),
  );

  app.post(
    '/v1/logout',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'logout',
        tags: ['logins'],
        summary: 'End the login of this browser',
        response: { 204: Type.Null(), '4xx': ProblemSchema },
      },
    },
    async (request, reply) => {
      const { login } = identityOf(request);
      if (login === undefined) throw new Refusal({ code: 'conflict', message: 'this request belongs to no login' });
      await logins.end(login);
      history.did('logout', `login ${login} has ended`, { by: 'admin', ...originOf(request) });
      return reply.code(204).header('set-cookie', gate.logoutCookie(request.raw)).send(null);
    },
  );
}

export function loginUrl(controlUrl: string, code: string): string {
  return `${controlUrl}/login?code=${code}`;
}
