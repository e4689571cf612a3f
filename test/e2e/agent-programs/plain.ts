/** A program with the SDK and no handler of its own. Prints its port once it listens. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rollcall } from '@rollcall/agent';

const node = rollcall({ balancer: 'shop' });
const server = createServer((request, response) => {
  if (request.url === '/exit') process.exitCode = 3;
  response.end('hello');
  if (request.url === '/exit') server.close();
});
node.attach(server);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
