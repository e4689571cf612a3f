/** The process behind `up --static`: one server and one node for each directory. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { RollcallNode, systemTimers } from '@rollcall/agent';
import { openLog } from '@rollcall/logging';
import { parseContextPath } from '@rollcall/protocol';
import { answerFile } from '../static/static-site.ts';
import type { StaticProcessOptions } from '../up/process-options.ts';
import type { Parent } from './parent.ts';

/** Time limit for the registration of a node; then the process reports that it serves anyway. Milliseconds. */
const REGISTERED_MS = 5_000;

export async function run(parent: Parent): Promise<void> {
  const { options } = await parent.options<StaticProcessOptions>();
  const { log } = openLog('static', options.logLevel, options.logFormat);
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
    const nodeOptions = {
      id: name,
      balancer: name,
      contexts: [parseContextPath(site.context)!],
      sticky: { mode: 'none' as const },
      signals: [],
      log: (line: string) => log.warn(line),
      ...(options.joinToken === undefined ? {} : { token: options.joinToken }),
      ...(options.coordinatorCa === undefined ? {} : { ca: options.coordinatorCa }),
    };
    // Set by the variable: under a test runner, nodes are disabled if only an option names the coordinator.
    const environment = { ...process.env, ROLLCALL_URL: options.coordinatorUrl };
    const node = new RollcallNode(nodeOptions, environment, systemTimers());
    const registered = new Promise((resolve) => node.on('registered', resolve));
    node.attach(server);
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([registered, new Promise((resolve) => (timer = setTimeout(resolve, REGISTERED_MS)))]);
    clearTimeout(timer);
    served.push({ server, node });
  }
  parent.serves(async () => {
    await Promise.all(served.map(({ node }) => node.close()));
  });
}
