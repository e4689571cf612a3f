/** The pages for the browser: files that are given at start. */
import type { AdminApp } from '../admin/admin-app.ts';
import type { Dependencies } from '../admin/dependencies.ts';
import { PAGE_FIELDS } from './page-fields.ts';
import { SERVER_STATUS_PATH } from './server-status.ts';

/** Serves every asset under its path to viewers. `/server-status` has its own route. */
export function addPages(app: AdminApp, { config }: Dependencies): void {
  for (const [path, { body, type }] of config.assets) {
    if (path === SERVER_STATUS_PATH) continue;
    app.get(path, { config: { role: 'viewer', isPage: true }, schema: { hide: true } }, async (_, reply) =>
      reply.headers(PAGE_FIELDS).type(type).send(body),
    );
  }
}
