import { configuredServer } from './configured-server.ts';
import type { Contender } from './contender.ts';

/** `reverse_proxy` of Caddy. */
export const caddy: Contender = configuredServer({
  name: 'caddy',
  programs: ['caddy'],
  versionFlag: 'version',
  versionPattern: /^v?(\d\S*)/m,
  configName: 'Caddyfile',
  arguments: (configFile) => ['run', '--config', configFile, '--adapter', 'caddyfile'],
  config: ({ directory, port, nodes, front, certificate }) => `{
	admin off
	auto_https off
	servers {
		protocols h1
	}
	log {
		level ERROR
	}
}
${front.isTls ? 'https' : 'http'}://127.0.0.1:${port} {
	bind 127.0.0.1
${front.isTls ? `\ttls ${certificate!.certFile} ${certificate!.keyFile}` : ''}
${front.logsAccess ? `\tlog {\n\t\tlevel INFO\n\t\toutput file ${directory}/access.log\n\t}` : ''}
	reverse_proxy ${nodes.map((node) => `127.0.0.1:${node}`).join(' ')} {
		lb_policy round_robin
		transport http {
			keepalive_idle_conns_per_host 512
		}
	}
}
`,
});
