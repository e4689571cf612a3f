/**
 * A program: a real `node:http` server that closes idle connections after a second, and is busy. Requests that arrive while it computes
 * are read after the timers that close connections, where requests are lost. A target with `/silent` is answered without a `Keep-Alive`
 * field. Prints its port; `/doubled` returns the number of POSTs that arrived twice.
 */
import http from 'node:http';

const BUSY_MS = 6;
const BUSY_EVERY_MS = 12;
const seen = new Set<string>();
let doubled = 0;
const server = http.createServer({ keepAliveTimeout: 0, noDelay: true }, (request, response) => {
  const { method, url = '', socket } = request;
  // Older versions of Node closed at the announced time; newer ones wait for a second more.
  socket.setTimeout(0);
  response.on('finish', () => socket.setTimeout(1_000));
  if (method === 'POST') {
    if (seen.has(url)) doubled++;
    seen.add(url);
  }
  const body = url === '/doubled' ? String(doubled) : url;
  if (!url.startsWith('/silent')) response.setHeader('Keep-Alive', 'timeout=1');
  request.resume().on('end', () => response.setHeader('Content-Length', body.length).end(body));
});
server.on('timeout', (socket) => socket.destroy());
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
// Behind the reads of a turn of the loop, like an answer that takes long to compute: the timers come next.
const compute = (): void => {
  const endMs = performance.now() + BUSY_MS;
  while (performance.now() < endMs);
};
setInterval(() => setImmediate(compute), BUSY_EVERY_MS);
process.on('disconnect', () => process.exit());
