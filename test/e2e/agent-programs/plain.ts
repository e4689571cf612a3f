/**
 * A program with the SDK and no handler of its own. Listens on PORT, by default any, and prints it. The first argument: more options as
 * JSON. `/exit` closes the server, `/slow?MS` answers after that time.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rollcall } from '@rollcall/agent';

const node = rollcall({ balancer: 'shop', ...JSON.parse(process.argv[2] ?? '{}') });
const server = createServer((request, response) => {
  const slowMs = /^\/slow\?(\d+)$/.exec(request.url ?? '')?.[1];
  if (request.url === '/exit') process.exitCode = 3;
  setTimeout(() => response.end('hello'), Number(slowMs ?? 0));
  if (request.url === '/exit') server.close();
});
node.attach(server);
server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
