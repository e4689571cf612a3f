/** A stateful program with the SDK whose event loop can be blocked on request: `POST /stall?ms=4000`. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { rollcall } from '@rollcall/agent';

const id = process.env['ROLLCALL_NODE_ID'] ?? 'stalling';
const node = rollcall({ id });
const visits = new Map<string, number>();
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://node');
  if (url.pathname === '/stall') {
    const ms = Number(url.searchParams.get('ms'));
    response.end('blocked for a while\n', () => setImmediate(() => standStill(ms)));
    return;
  }
  const asked = /(?:^|; )SID=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
  const session = visits.has(asked) ? asked : randomBytes(9).toString('hex');
  const count = (visits.get(session) ?? 0) + 1;
  visits.set(session, count);
  response.setHeader('set-cookie', `SID=${session}; Path=/`);
  response.end(JSON.stringify({ node: id, count, session, link: '' }));
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${JSON.stringify(server.address())}\n`));
node.attach(server);

function standStill(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}
