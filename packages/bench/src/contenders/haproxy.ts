import { configuredServer } from './configured-server.ts';
import type { Contender } from './contender.ts';

/** HAProxy with one thread and a session cookie, as Rollcall has. */
export const haproxy: Contender = configuredServer({
  name: 'haproxy',
  programs: ['haproxy'],
  versionFlag: '-v',
  versionPattern: /version (\d[\w.]*)/i,
  configName: 'haproxy.cfg',
  arguments: (configFile) => ['-f', configFile],
  config: ({ port, nodes, front, certificate }) => `global
  nbthread 1
  maxconn 9000
  no strict-limits
defaults
  mode http
  timeout connect 5s
  timeout client 10m
  timeout server 10m
  timeout tunnel 1h
  http-reuse always
${front.logsAccess ? '  log stdout format raw local0\n  option httplog' : ''}
frontend site
  bind 127.0.0.1:${port} backlog 4096${front.isTls ? ` ssl crt ${certificate!.bothFile}` : ''}
  default_backend nodes
backend nodes
  balance roundrobin
  option forwardfor
  cookie ROUTE insert indirect nocache
${nodes.map((node, i) => `  server n${i + 1} 127.0.0.1:${node} cookie n${i + 1}`).join('\n')}
`,
});
