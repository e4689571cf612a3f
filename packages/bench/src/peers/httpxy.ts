/** A round robin over the nodes with httpxy. */
import http from 'node:http';
import type { Socket } from 'node:net';
import { createProxyServer } from 'httpxy';
import { BACKLOG, KEEP_ALIVE_MS, nextNode, port } from './site.ts';

const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 256 });
const proxy = createProxyServer({ agent, xfwd: true });
proxy.on('error', (_error, _request, response) => {
  if (response instanceof http.ServerResponse && !response.headersSent) response.writeHead(502).end();
  else response?.destroy();
});
const server = http.createServer((request, response) => {
  void proxy.web(request, response, { target: nextNode() });
});
server.on('upgrade', (request, socket, head) => {
  void proxy.ws(request, socket as Socket, { target: nextNode() }, head);
});
server.keepAliveTimeout = KEEP_ALIVE_MS;
server.listen(Number(port), '127.0.0.1', BACKLOG);
