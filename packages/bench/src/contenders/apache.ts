import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configuredServer } from './configured-server.ts';
import type { Contender } from './contender.ts';

const MODULE_FOLDERS = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/libexec/apache2'];
/** Users to which a server started by root switches; the first existing one is used. */
const USERS = ['www-data', 'apache', 'http', 'daemon'];

const MODULES: readonly string[] = [
  'mpm_event',
  'unixd',
  'log_config',
  'authz_core',
  'slotmem_shm',
  'proxy',
  'proxy_http',
  'proxy_balancer',
  'lbmethod_byrequests',
];

/** mod_proxy_balancer of Apache httpd with the event MPM and session routes. */
export const apache: Contender = configuredServer({
  name: 'apache',
  programs: ['apache2', 'httpd'],
  versionFlag: '-v',
  versionPattern: /Apache\/(\S+)/,
  configName: 'apache.conf',
  arguments: (configFile) => ['-D', 'FOREGROUND', '-f', configFile],
  config: ({ directory, port, nodes, front, certificate }) => `ServerRoot ${directory}
DefaultRuntimeDir ${directory}
PidFile ${directory}/pid
Listen 127.0.0.1:${port}
ServerName localhost
ErrorLog ${directory}/error.log
LogLevel crit
${loadModules(front.isTls ? ['socache_shmcb', 'ssl'] : [])}
${userLines()}
ListenBacklog 4096
ServerLimit 1
ThreadLimit 256
ThreadsPerChild 256
MaxRequestWorkers 256
MinSpareThreads 1
MaxSpareThreads 256
AsyncRequestWorkerFactor 16
MaxKeepAliveRequests 0
KeepAliveTimeout 600
${front.logsAccess ? `BufferedLogs On\nLogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined\nCustomLog ${directory}/access.log combined` : ''}
${front.isTls ? `SSLEngine on\nSSLCertificateFile ${certificate!.certFile}\nSSLCertificateKeyFile ${certificate!.keyFile}` : ''}
<Proxy balancer://site>
${nodes.map((node, i) => `  BalancerMember http://127.0.0.1:${node} route=n${i + 1} upgrade=websocket`).join('\n')}
</Proxy>
ProxyPreserveHost On
ProxyPass / balancer://site/ stickysession=sid
`,
});

/**
 * Lines that load the modules of every proxy and `more`, by short names. Modules that are built in have no file, or are skipped by
 * IfModule.
 */
function loadModules(more: readonly string[]): string {
  const folder = MODULE_FOLDERS.find(existsSync) ?? MODULE_FOLDERS[0]!;
  return [...MODULES, ...more]
    .map((name) => ({ name, file: join(folder, `mod_${name}.so`) }))
    .filter(({ file }) => existsSync(file))
    .map(({ name, file }) => `<IfModule !mod_${name}.c>\nLoadModule ${name}_module ${file}\n</IfModule>`)
    .join('\n');
}

/** Lines with the user and group to which a server started by root switches; otherwise empty. */
function userLines(): string {
  if (process.getuid?.() !== 0) return '';
  const groups = readFileSync('/etc/group', 'utf8');
  const user = USERS.find((name) => new RegExp(`^${name}:`, 'm').test(groups));
  return user === undefined ? '' : `User ${user}\nGroup ${user}`;
}
