/** A program without any cookie that counts visits: the session id is in the links only (`?_s=ID.ROUTE`). */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { announce, NodeLedger } from './node-ledger.ts';
import { answerVisit } from './visit-answer.ts';

const route = process.env['ROLLCALL_ROUTE'] ?? 'alone';
const ledger = new NodeLedger(route);
const visits = new Map<string, number>();

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://node');
  if (url.pathname !== '/visit') {
    response.statusCode = url.pathname === '/' ? 200 : 404;
    response.end();
    return;
  }
  const asked = url.searchParams.get('_s');
  const id = asked !== null && visits.has(asked) ? asked : `${randomBytes(12).toString('hex')}.${route}`;
  const count = (visits.get(id) ?? 0) + 1;
  visits.set(id, count);
  void answerVisit(request, response, ledger, { node: route, count, link: `/visit?_s=${id}` });
});
server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () =>
  announce(ledger.instance, (server.address() as AddressInfo).port),
);
