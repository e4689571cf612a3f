import { BenchError } from '../../bench-error.ts';
import { loadModules, userLines } from '../../contenders/apache.ts';
import type { Balancer } from './balancer.ts';
import { configuredBalancer } from './configured-balancer.ts';

/** More requests than a pass can have at a time when everything waits. */
const THREADS = 2_048;
/** What a node's state is in its form when it takes requests: neither disabled nor draining. */
const IN = { w_status_D: '0', w_status_N: '0' } as const;

/** Apache's mod_proxy_balancer with one process; its sessions are by a cookie it sets, nodes leave by its balancer-manager. */
export function apacheBalancer(name: string, method: string): Balancer {
  return configuredBalancer({
    name,
    programs: ['apache2', 'httpd'],
    versionFlag: '-v',
    versionPattern: /Apache\/(\S+)/,
    keepsSessions: true,
    arguments: (configFile) => ['-D', 'FOREGROUND', '-f', configFile],
    config: ({ directory, port, controlPort, nodes, out, hasSessions }) => `ServerRoot ${directory}
DefaultRuntimeDir ${directory}
PidFile ${directory}/pid
Listen 127.0.0.1:${port}
Listen 127.0.0.1:${controlPort}
ServerName localhost
ErrorLog ${directory}/error.log
LogLevel crit
${loadModules(['lbmethod_bybusyness', 'headers'])}
${userLines()}
ListenBacklog 4096
ServerLimit 1
ThreadLimit ${THREADS}
ThreadsPerChild ${THREADS}
MaxRequestWorkers ${THREADS}
MinSpareThreads 1
MaxSpareThreads ${THREADS}
AsyncRequestWorkerFactor 4
MaxKeepAliveRequests 0
KeepAliveTimeout 600
<Proxy balancer://site>
${nodes
  .map(
    ({ number, httpPort }) =>
      `  BalancerMember http://127.0.0.1:${httpPort} route=n${number + 1}${out.has(number) ? ' status=+D' : ''}`,
  )
  .join('\n')}
  ProxySet lbmethod=${method}${hasSessions ? ' stickysession=ROUTE' : ''}
</Proxy>
${hasSessions ? 'Header add Set-Cookie "ROUTE=.%{BALANCER_WORKER_ROUTE}e; path=/" env=BALANCER_ROUTE_CHANGED\n' : ''}ProxyPreserveHost On
<VirtualHost 127.0.0.1:${port}>
  ProxyPass / balancer://site/
</VirtualHost>
<VirtualHost 127.0.0.1:${controlPort}>
  <Location /balancer-manager>
    SetHandler balancer-manager
  </Location>
</VirtualHost>
`,
    async setOut({ parts }, { httpPort }, isOut) {
      const page = `http://127.0.0.1:${parts.controlPort}/balancer-manager`;
      // It takes changes only from its own page.
      const nonce = /nonce=([\w-]+)/.exec(await (await fetch(page)).text())?.[1] ?? '';
      const words = { b: 'site', w: `http://127.0.0.1:${httpPort}`, nonce, ...(isOut ? { w_status_N: '1' } : IN) };
      const answer = await fetch(page, {
        method: 'POST',
        headers: { referer: page, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(words).toString(),
      });
      const row = new RegExp(`${httpPort}</a></td>.*`).exec(await answer.text())?.[0] ?? '';
      if (isOut !== /Drn|Dis/.test(row)) throw new BenchError(`Apache's balancer-manager did not do it: ${row}`);
    },
  });
}
