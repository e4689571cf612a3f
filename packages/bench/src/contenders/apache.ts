import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configuredServer } from './configured-server.ts';
import type { Contender } from './contender.ts';

const MODULE_FOLDERS = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/libexec/apache2'];
/** Whom a server that was started by root becomes: the first that the machine knows. */
const USERS = ['www-data', 'apache', 'http', 'daemon'];

const MODULES: Readonly<Record<string, string>> = {
  mpm_event: 'mpm_event_module',
  unixd: 'unixd_module',
  log_config: 'log_config_module',
  authz_core: 'authz_core_module',
  slotmem_shm: 'slotmem_shm_module',
  proxy: 'proxy_module',
  proxy_http: 'proxy_http_module',
  proxy_balancer: 'proxy_balancer_module',
  lbmethod_byrequests: 'lbmethod_byrequests_module',
  socache_shmcb: 'socache_shmcb_module',
  ssl: 'ssl_module',
};

/** mod_proxy_balancer of Apache's httpd in the event MPM, with its session routes. */
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
${loadModules(front.isTls)}
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

/** Some builds have some of them built in: those have no file, or are passed over where it is loaded already. */
function loadModules(isTls: boolean): string {
  const folder = MODULE_FOLDERS.find(existsSync) ?? MODULE_FOLDERS[0]!;
  return Object.entries(MODULES)
    .map(([name, symbol]) => ({ name, symbol, file: join(folder, `mod_${name}.so`) }))
    .filter(({ name, file }) => existsSync(file) && (isTls || (name !== 'ssl' && name !== 'socache_shmcb')))
    .map(({ name, symbol, file }) => `<IfModule !mod_${name}.c>\nLoadModule ${symbol} ${file}\n</IfModule>`)
    .join('\n');
}

function userLines(): string {
  if (process.getuid?.() !== 0) return '';
  const groups = readFileSync('/etc/group', 'utf8');
  const user = USERS.find((name) => new RegExp(`^${name}:`, 'm').test(groups));
  return user === undefined ? '' : `User ${user}\nGroup ${user}`;
}
