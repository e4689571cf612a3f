/** A program with the SDK that ends by itself: on SIGTERM it drains first, then leaves and exits with 0. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rollcall } from '@rollcall/agent';

const node = rollcall({ balancer: 'shop' });
const server = createServer((_, response) => void response.end('hello'));
node.attach(server);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.once('SIGTERM', async () => {
  const outcome = await node.drain();
  await node.close();
  console.log(outcome);
  server.close();
  server.closeIdleConnections();
});
