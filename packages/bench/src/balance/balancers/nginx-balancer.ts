import { writeFileSync } from 'node:fs';
import { nginxConfig } from '../../system/nginx-config.ts';
import type { Balancer } from './balancer.ts';
import { type BalancerKind, type ConfigParts, configuredBalancer } from './configured-balancer.ts';

/** nginx with one worker. It keeps no sessions without a module that has to be bought; nodes come and go by a reload. */
export function nginxBalancer(): Balancer {
  const config = ({ directory, port, nodes, out }: ConfigParts): string =>
    nginxConfig(
      { directory },
      `  upstream site {
    least_conn;
${nodes.map(({ number, httpPort }) => `    server 127.0.0.1:${httpPort}${out.has(number) ? ' down' : ''};`).join('\n')}
    keepalive 256;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://site;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection '';
    }
  }
`,
    );
  const setOut: BalancerKind['setOut'] = async ({ parts, configFile, running }, { number }, isOut) => {
    writeFileSync(configFile, config({ ...parts, out: new Set(isOut ? [number] : []) }));
    process.kill(running.pid, 'SIGHUP');
  };
  return configuredBalancer({
    name: 'nginx-least-conn',
    programs: ['nginx'],
    versionFlag: '-v',
    versionPattern: /nginx\/(\S+)/,
    keepsSessions: false,
    arguments: (configFile) => ['-c', configFile],
    config,
    setOut,
  });
}
