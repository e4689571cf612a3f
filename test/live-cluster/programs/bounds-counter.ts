/**
 * A program without the SDK that counts visits per session, in memory. Its other pages run into a bound of the proxy or
 * refuse an upload. Each answer names the process in `INSTANCE_FIELD`.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { announce, INSTANCE_FIELD, NodeLedger } from './node-ledger.ts';
import { answerVisit, ledgerId } from './visit-answer.ts';

/** Above the proxy's `fields` limit, 100 by default. */
const WIDE_HEAD_FIELDS = 150;

const node = process.env['ROLLCALL_ROUTE'] ?? 'bounds-1';
const ledger = new NodeLedger(node);
const sessions = new Map<string, number>();

type Page = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

const PAGES: Readonly<Record<string, Page>> = {
  '/visit': (request, response) => {
    const [, sent] = /(?:^|; )sid=([0-9a-f]+)/.exec(request.headers.cookie ?? '') ?? [];
    const id = sent !== undefined && sessions.has(sent) ? sent : randomBytes(12).toString('hex');
    if (id !== sent) response.setHeader('set-cookie', `sid=${id}; Path=/; HttpOnly`);
    const count = (sessions.get(id) ?? 0) + 1;
    sessions.set(id, count);
    void answerVisit(request, response, ledger, { node, count });
  },
  '/events': (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
  },
  '/stalled': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    response.write('begun\n');
  },
  '/poll': (_request, response, url) => {
    const timer = setTimeout(() => response.end('nothing new\n'), Number(url.searchParams.get('ms') ?? 0));
    response.on('close', () => clearTimeout(timer));
  },
  '/fields': (_request, response) => {
    for (let n = 1; n <= WIDE_HEAD_FIELDS; n++) response.setHeader(`x-field-${n}`, `${n}`);
    response.end('wide\n');
  },
  // The socket is closed with the request body unread, which resets the connection.
  '/upload': (request, response) => {
    response.writeHead(413, { connection: 'close' });
    response.end('too large\n', () => request.socket.destroy());
  },
};

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://node');
  const page = Object.hasOwn(PAGES, url.pathname) ? PAGES[url.pathname] : undefined;
  response.setHeader(INSTANCE_FIELD, ledger.instance);
  if (page === undefined) {
    response.statusCode = url.pathname === '/' ? 200 : 404;
    response.end();
    return;
  }
  if (url.pathname !== '/visit') ledger.write(ledgerId(request), 'start');
  page(request, response, url);
});
server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () =>
  announce(ledger.instance, (server.address() as AddressInfo).port),
);
