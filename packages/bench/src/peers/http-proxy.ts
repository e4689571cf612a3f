/** A round robin over the nodes with http-proxy. */
import http from 'node:http';
import httpProxy from 'http-proxy';
import { BACKLOG, KEEP_ALIVE_MS, nextNode, port } from './site.ts';

const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 256 });
const proxy = httpProxy.createProxyServer({ agent, xfwd: true });
proxy.on('error', (_error, _request, response) => {
  if (response instanceof http.ServerResponse && !response.headersSent) response.writeHead(502).end();
  else response.destroy();
});
const server = http.createServer((request, response) => proxy.web(request, response, { target: nextNode() }));
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head, { target: nextNode() }));
server.keepAliveTimeout = KEEP_ALIVE_MS;
server.listen(Number(port), '127.0.0.1', BACKLOG);
