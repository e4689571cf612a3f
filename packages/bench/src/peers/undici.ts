/** A round robin over the nodes with node:http downstream and undici upstream, without a proxy library. */
import http from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { BACKLOG, KEEP_ALIVE_MS, nextNode, nodes, port } from './site.ts';

/** Hop-by-hop fields, which are not forwarded. @see RFC 9110 §7.6.1 */
const OF_CONNECTION = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'];

const pools = new Map(
  nodes.map((node) => [node, new Pool(node, { connections: 256, pipelining: 1, keepAliveTimeout: KEEP_ALIVE_MS })]),
);
const server = http.createServer((request, response) => {
  const headers = endToEnd(request.headers);
  headers['x-forwarded-for'] = request.socket.remoteAddress;
  headers['x-forwarded-proto'] = 'http';
  const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
  const options: Dispatcher.RequestOptions = {
    path: request.url!,
    method: request.method as Dispatcher.HttpMethod,
    headers,
    body: hasBody ? request : null,
  };
  pools
    .get(nextNode())!
    .stream(options, ({ statusCode, headers: answered }) => response.writeHead(statusCode, endToEnd(answered)))
    .catch(() => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    });
});
server.keepAliveTimeout = KEEP_ALIVE_MS;
server.listen(Number(port), '127.0.0.1', BACKLOG);

function endToEnd(headers: http.IncomingHttpHeaders): http.IncomingHttpHeaders {
  const passed = { ...headers };
  for (const name of OF_CONNECTION) delete passed[name];
  return passed;
}
