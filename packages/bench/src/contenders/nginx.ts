import { nginxConfig } from '../system/nginx-config.ts';
import { configuredServer } from './configured-server.ts';
import type { Contender } from './contender.ts';

/** nginx with keep-alive connections to the nodes, without sticky sessions. */
export const nginx: Contender = configuredServer({
  name: 'nginx',
  programs: ['nginx'],
  versionFlag: '-v',
  versionPattern: /nginx\/(\S+)/,
  configName: 'nginx.conf',
  arguments: (configFile) => ['-c', configFile],
  config: ({ directory, port, nodes, front, certificate }) =>
    nginxConfig(
      { directory, ...(front.logsAccess && { accessLog: `${directory}/access.log combined buffer=64k flush=1s` }) },
      `  client_max_body_size 0;
  client_body_buffer_size 128k;
  map $http_upgrade $to_node { default upgrade; '' ''; }
  upstream site {
${nodes.map((node) => `    server 127.0.0.1:${node};`).join('\n')}
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096${front.isTls ? ' ssl' : ''};
${certificate && front.isTls ? `    ssl_certificate ${certificate.certFile};\n    ssl_certificate_key ${certificate.keyFile};` : ''}
    location / {
      proxy_pass http://site;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $to_node;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
`,
    ),
});
