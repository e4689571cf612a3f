/**
 * A program with the SDK on a machine whose clock is wrong by `CLOCK_MS`. Listens on `PORT`, by default any, of `HOST`, by default
 * 127.0.0.1, and answers with its process id. Prints a JSON line for its port and for each event of the node.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const startedAtUnixMs = performance.timeOrigin + Number(process.env['CLOCK_MS'] ?? 0);
Object.defineProperty(performance, 'timeOrigin', { value: startedAtUnixMs });
const { rollcall } = await import('@rollcall/agent');

const print = (line: object): void => console.log(JSON.stringify(line));
const { URL_TO_ANNOUNCE: url } = process.env;
const announced = url === undefined ? {} : { url };
const node = rollcall({ balancer: process.env['BALANCER'] ?? 'shop', signals: [], log: () => {}, ...announced });
node.on('registered', ({ node: { id, incarnation } }) => print({ event: 'registered', id, incarnation }));
node.on('warning', ({ code, message }) => print({ event: 'warning', code, message }));
node.on('error', ({ code, message }) => print({ event: 'error', code, message }));
const server = createServer((_, response) => response.end(String(process.pid)));
node.attach(server);
const host = process.env['HOST'] ?? '127.0.0.1';
server.listen({ port: Number(process.env['PORT'] ?? 0), host, ipv6Only: host === '::' }, () =>
  print({ event: 'listening', port: (server.address() as AddressInfo).port }),
);
