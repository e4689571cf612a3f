/** The process behind `up --static`: one server and one node for each directory. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type RollcallNode, rollcall } from '@rollcall/agent';
import { parseContextPath } from '@rollcall/protocol';
import { pino } from 'pino';
import { answerFile } from '../static/static-site.ts';
import type { StaticProcessOptions } from '../up/process-options.ts';
import { onParentEnd, receiveOptions, tellReady } from './parent.ts';

/** How long the coordinator may take to accept the nodes before we say that we serve, milliseconds. */
const REGISTERED_MS = 5_000;

const { options } = await receiveOptions<StaticProcessOptions>();
const log = pino({ name: 'static', level: options.logLevel }, pino.destination({ dest: 2, sync: false }));
const served: { readonly server: Server; readonly node: RollcallNode }[] = [];
for (const site of options.sites) {
  const server = createServer((request, response) => {
    answerFile(site, request, response).catch((error: unknown) => {
      log.warn({ err: error }, 'a file could not be sent');
      response.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const name = `static${site.context === '/' ? '' : site.context.replaceAll(/[^A-Za-z0-9_-]+/g, '-')}`.slice(0, 64);
  const node = rollcall({
    id: name,
    balancer: name,
    contexts: [parseContextPath(site.context)!],
    sticky: { mode: 'none' },
    coordinator: options.coordinatorUrl,
    handleSignals: false,
    log: (line) => log.warn(line),
    ...(options.joinToken === undefined ? {} : { token: options.joinToken }),
  });
  const registered = new Promise((resolve) => node.on('registered', resolve));
  node.attach(server);
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([registered, new Promise((resolve) => (timer = setTimeout(resolve, REGISTERED_MS)))]);
  clearTimeout(timer);
  served.push({ server, node });
}
onParentEnd(async () => {
  await Promise.all(served.map(({ node }) => node.close()));
});
tellReady();
