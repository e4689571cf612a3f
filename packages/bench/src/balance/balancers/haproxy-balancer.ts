import { connect } from 'node:net';
import { join } from 'node:path';
import { BenchError } from '../../bench-error.ts';
import type { Balancer } from './balancer.ts';
import { configuredBalancer } from './configured-balancer.ts';

/** How HAProxy chooses: the line `balance …`, and whether nodes tell it their weight each second. */
export interface HaproxyChoice {
  readonly name: string;
  readonly balance: string;
  readonly hasAgentChecks: boolean;
}

/** HAProxy with one thread; its sessions are by a cookie of its own, nodes leave by its runtime socket. */
export function haproxyBalancer({ name, balance, hasAgentChecks }: HaproxyChoice): Balancer {
  return configuredBalancer({
    name,
    programs: ['haproxy'],
    versionFlag: '-v',
    versionPattern: /version (\d[\w.]*)/i,
    keepsSessions: true,
    arguments: (configFile) => ['-f', configFile],
    config: ({ directory, port, nodes, out, hasSessions }) => `global
  nbthread 1
  maxconn 9000
  no strict-limits
  stats socket ${socketIn(directory)} mode 600 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 10m
  timeout server 10m
  option redispatch
  http-reuse always
frontend site
  bind 127.0.0.1:${port} backlog 4096
  default_backend nodes
backend nodes
  balance ${balance}
${hasSessions ? '  cookie ROUTE insert indirect nocache\n' : ''}${nodes
  .map(
    ({ number, httpPort, checkPort }) =>
      `  server n${number + 1} 127.0.0.1:${httpPort} cookie n${number + 1}${
        hasAgentChecks ? ` weight 100 agent-check agent-port ${checkPort} agent-inter 1s` : ''
      }${out.has(number) ? ' disabled' : ''}`,
  )
  .join('\n')}
`,
    async setOut({ parts }, { number }, isOut) {
      const told = await command(
        socketIn(parts.directory),
        `set server nodes/n${number + 1} state ${isOut ? 'drain' : 'ready'}`,
      );
      if (told.trim() !== '') throw new BenchError(`HAProxy says: ${told.trim()}`);
    },
  });
}

function socketIn(directory: string): string {
  return join(directory, 'runtime');
}

/** What the runtime socket answers. @see HAProxy's management guide, "Unix Socket commands" */
function command(path: string, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let told = '';
    const socket = connect(path, () => socket.write(`${words}\n`));
    socket.on('data', (octets) => {
      told += octets.toString();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(told));
  });
}
