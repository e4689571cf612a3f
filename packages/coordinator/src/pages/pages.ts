/** The pages for the browser: files that are given at start. */
import type { AdminApp } from '../admin/admin-app.ts';
import type { Dependencies } from '../admin/dependencies.ts';
import { KEPT_FIELDS, PAGE_FIELDS } from './page-fields.ts';
import { SERVER_STATUS_PATH } from './server-status.ts';

/** Path of the page to which `/` leads. */
const START_PATH = '/balancer-manager';

/** Serves every asset under its path to viewers. `/server-status` has its own route. */
export function addPages(app: AdminApp, { config }: Dependencies): void {
  for (const [path, { body, type, isImmutable }] of config.assets) {
    if (path === SERVER_STATUS_PATH) continue;
    app.get(path, { config: { role: 'viewer', isPage: true }, schema: { hide: true } }, async (_, reply) =>
      reply
        .headers(isImmutable ? KEPT_FIELDS : PAGE_FIELDS)
        .type(type)
        .send(body),
    );
  }
  if (config.assets.has(START_PATH))
    app.get('/', { config: { role: 'viewer', isPage: true }, schema: { hide: true } }, async (_, reply) =>
      reply.redirect(START_PATH),
    );
}
