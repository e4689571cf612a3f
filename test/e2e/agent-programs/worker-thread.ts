/**
 * A program whose server and SDK are in a worker thread, where no signal arrives: the main thread passes SIGTERM on as a
 * message. Prints the port, each warning, and how the drain ended.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { rollcall } from '@rollcall/agent';
import { LOADER } from '../../site/commands.ts';

if (isMainThread) {
  const [loader, file] = [LOADER, import.meta.url].map((url) => JSON.stringify(url));
  // A worker thread of Node 20 does not inherit what understands TypeScript.
  const worker = new Worker(`import(${loader}).then(() => import(${file}))`, { eval: true });
  process.once('SIGTERM', () => worker.postMessage('end'));
} else {
  const node = rollcall({ balancer: 'shop', log: () => {} });
  node.on('warning', ({ message }) => console.log(message));
  const server = createServer((_, response) => void response.end('hello'));
  node.attach(server);
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
  parentPort?.once('message', async () => {
    console.log(await node.drain());
    await node.close();
    server.close();
  });
}
