import { ONE_SIGNAL_MS } from '@rollcall/agent';
import { openOutput, openPlainLog } from '@rollcall/logging';
import { DEFAULT_CONTROL_PORT, DEFAULT_PROXY_PORT } from '@rollcall/protocol';
import { ACCESS_LOG_FORMATS, FORWARDED_FORMS } from '@rollcall/proxy';
import { Command, Option } from 'commander';
import { applyConfigFile } from '../config-file.ts';
import { EXIT } from '../exit.ts';
import { logFormatOption } from '../log-format.ts';
import { limitsHelp } from '../settings/limits.ts';
import { sourcesOf } from '../settings/origins.ts';
import { quotasHelp } from '../settings/quotas.ts';
import { settingOptions, startSettings } from '../settings/start-settings.ts';
import { supervisorOptions, type UpFlags } from '../settings/up-settings.ts';
import { Terminal } from '../terminal.ts';
import { Supervisor, type SupervisorOptions } from '../up/supervisor.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const HELP = `
Each option can also be set by ROLLCALL_… in the environment (--proxy: ROLLCALL_PROXY) or in rollcall.json ("proxy": "…").
Several values in one text have commas in between. Names of files may have commas; with several in one text, certificates and
keys may not.
rollcall.json has settings of one balancer under "balancers": { "balancers": { "shop": { "retries": 1, "sticky": { "mode": "suffix" } } } }.
${limitsHelp()}
${quotasHelp()}

Secrets are read from the environment only: ROLLCALL_JOIN_TOKEN, ROLLCALL_ADMIN_TOKEN, or ROLLCALL_…_TOKEN_FILE with the
path of a file. They have 16 characters or more. Further tokens: rollcall token.
The address of Redis can contain a password: give it by ROLLCALL_STORE_FILE, with the path of a file.

  rollcall up
  rollcall up --proxy 0.0.0.0:80 --control 127.0.0.1:8400
  ROLLCALL_JOIN_TOKEN_FILE=/run/join rollcall up --control 0.0.0.0:8400 --store redis://redis:6379
`;

/** `rollcall up`: starts a coordinator and its proxy. */
export function upCommand(): Command {
  const option = (flags: string, description: string): Option => {
    const made = new Option(flags, description);
    return made.env(`ROLLCALL_${made.name().replaceAll('-', '_').toUpperCase()}`);
  };
  const command = new Command('up')
    .description('start a coordinator and its proxy')
    .addOption(option('--proxy <address>', 'listener for clients, HTTP').default(`0.0.0.0:${DEFAULT_PROXY_PORT}`))
    .addOption(
      option('--control <address>', 'listener for agents and operators').default(`127.0.0.1:${DEFAULT_CONTROL_PORT}`),
    )
    .addOption(option('--agents <address>', 'extra listener for agents and workers only'))
    .addOption(
      option(
        '--mcmp <address>',
        'extra listener for nodes of mod_cluster (Tomcat, WildFly), e.g. 127.0.0.1:6666 (default: none)',
      ),
    )
    .addOption(
      option(
        '--mcmp-allow <cidr...>',
        'networks of nodes that may use --mcmp without a client certificate, besides loopback; CIDR=TOKEN applies the bindings of a token (default: none)',
      ),
    )
    .addOption(
      option(
        '--mcmp-advertise [address]',
        'multicast group in which nodes of mod_cluster find --mcmp: HOST:PORT, or without a value 224.0.1.105:23364 (default: not advertised)',
      ),
    )
    .addOption(
      option(
        '--mcmp-advertise-interface <address>',
        'IPv4 address of this machine that --mcmp-advertise names, and whose interface sends (default: that of --mcmp)',
      ),
    )
    .addOption(
      option(
        '--mcmp-advertise-key-file <file>',
        'file with the key that the nodes have for --mcmp-advertise, one line (default: no key)',
      ),
    )
    .addOption(
      option(
        '--mcmp-aliases <on|off>',
        'match requests with the aliases of these nodes, as UseAlias On; off: with paths only (default: off)',
      ),
    )
    .addOption(
      option('--control-cert <file>', 'certificate chain (PEM) of --control, --agents and --mcmp: all then use TLS'),
    )
    .addOption(option('--control-key <file>', 'private key (PEM) of --control-cert'))
    .addOption(
      option('--control-client-ca <file>', 'CA certificates (PEM) of client certificates that are accepted as tokens'),
    )
    .addOption(
      option('--advertise <url>', 'URL at which agents reach this coordinator, ws://…; default: not announced'),
    )
    .addOption(
      option(
        '--store <store>',
        'store of the cluster: memory, file:PATH, or redis://… that several coordinators share (default: a file in the state directory)',
      ),
    )
    .addOption(option('--store-ca <file>', 'CA certificates (PEM) of Redis with TLS (default: those of Node.js)'))
    .addOption(option('--cluster <name>', 'name of the cluster in a shared --store (default: rollcall)'))
    .addOption(option('--name <name>', 'name of this coordinator (default: host name and control port)'))
    .addOption(
      option(
        '--state-dir <directory>',
        'directory for tokens, audit log and the last cluster (default: by user and control port)',
      ),
    )
    .addOption(
      option('--token-dir <directory>', 'directory with the join token for nodes, which is created at the first start'),
    )
    .addOption(option('--workers <n>', 'number of proxy processes, 1 to 64, or auto for one per core (default: 1)'))
    .addOption(option('--grace <duration>', 'time for replaced workers to finish their requests (default: 60s)'))
    .addOption(option('--tls <address>', 'listener for clients, TLS'))
    .addOption(option('--tls-cert <file...>', 'certificate chains (PEM); the first is the default certificate'))
    .addOption(option('--tls-key <file...>', 'private keys (PEM) of --tls-cert, in the same order'))
    .addOption(option('--upstream-ca <file>', 'CA certificates (PEM) for https nodes (default: those of Node.js)'))
    .addOption(
      option(
        '--upstream-name <name>',
        'host name in the certificates of https nodes (default: host of the node address)',
      ),
    )
    .addOption(option('--access-log <file>', 'access log: a file, - for standard output, or off (default: off)'))
    .addOption(
      option('--access-log-format <format>', 'format of the access log')
        .choices(ACCESS_LOG_FORMATS)
        .default('combined'),
    )
    .addOption(option('--error-page <status=file...>', 'own error pages for browsers, like 503=sorry.html'))
    .addOption(option('--limit <name=value...>', 'limits of the proxy, see below'))
    .addOption(option('--quota <name=number...>', 'quotas of tokens, balancers and addresses, see below'))
    .addOption(option('--header-timeout <duration>', 'time limit for a request head (default: 10s)'))
    .addOption(option('--body-timeout <duration>', 'idle time limit within a request body (default: 30s)'))
    .addOption(option('--upstream-timeout <duration>', 'time limit until a node begins to answer (default: 30s)'))
    .addOption(option('--health-path <path>', 'path that the proxy itself answers with 200'))
    .addOption(
      option(
        '--sticky-secret-file <file>',
        'file with the secret that seals session cookies, so that clients cannot choose a node',
      ),
    )
    .addOption(option('--ajp-secret-file <file>', 'file with the secret that AJP nodes require (default: none)'))
    .addOption(option('--static <path=directory...>', 'serve the files of a directory under a path'))
    .addOption(option('--exclude <path...>', 'paths that are not forwarded to nodes, with all paths below them'))
    .addOption(
      option(
        '--trusted-proxy <cidr...>',
        'proxies in front of --proxy and --tls whose X-Forwarded-* and Forwarded fields are trusted; their error answers never have the cause, also on loopback',
      ),
    )
    .addOption(
      option(
        '--proxy-protocol <listener...>',
        'listeners that require a PROXY protocol header of --trusted-proxy: proxy, tls (default: none)',
      ),
    )
    .addOption(
      option('--forwarded <form>', 'fields that name the client: read first from trusted proxies, and sent to nodes')
        .choices(FORWARDED_FORMS)
        .default('x-forwarded'),
    )
    .addOption(
      option(
        '--via <on|off>',
        'add this proxy to Via of requests; off also ends loop detection, the answer 508 (default: on)',
      ),
    )
    .addOption(
      option(
        '--traceparent <form>',
        'W3C Trace Context: pass the field of a client, or also make one where it is missing',
      )
        .choices(['pass', 'make'])
        .default('pass'),
    )
    .addOption(option('--node-allow <cidr...>', 'networks of nodes, besides the address that a node registers from'))
    .addOption(
      option(
        '--admin-allow <cidr...>',
        'networks that may use admin API and pages without a token (default: loopback)',
      ),
    )
    .addOption(option('--control-host <name...>', 'further host names of the control port'))
    .addOption(
      option(
        '--control-trusted-proxy <cidr...>',
        'TLS proxies in front of the control port whose X-Forwarded-* fields are trusted',
      ),
    )
    .addOption(
      option('--control-url <url>', 'URL of the control port for browsers (default: the address of --control)'),
    )
    .addOption(
      option(
        '--heartbeat <duration>',
        'heartbeat interval of nodes; suspect after 3, gone after 15 intervals (default: 1s)',
      ),
    )
    .addOption(
      option('--log-level <level>', 'lowest level that is logged to standard error')
        .choices(LOG_LEVELS)
        .default('info'),
    )
    .addOption(logFormatOption())
    .addOption(new Option('--config <file>', 'settings file (default: rollcall.json, if it exists)'))
    .addOption(new Option('--json', 'print the addresses as one line of JSON'))
    .addHelpText('after', HELP);
  for (const setting of settingOptions()) command.addOption(setting);
  return command.action(() => {
    const file = applyConfigFile(command);
    const say = openPlainLog({ format: command.opts<UpFlags>().logFormat });
    const options = readOptions(command, file, command.parent?.args.slice(1) ?? [], say);
    return up(options, command.opts<UpFlags>().json === true);
  });
}

/** The effective options of `command`, with the settings file that was applied to it. `words` are its arguments. */
function readOptions(
  command: Command,
  { path, balancers }: ReturnType<typeof applyConfigFile>,
  words: readonly string[],
  say: (line: string) => void,
): SupervisorOptions {
  const settings = startSettings(command, balancers, path);
  const options = supervisorOptions(command.opts<UpFlags>(), settings, say, sourcesOf(command));
  const readAgain = (): SupervisorOptions => {
    const again = parsedUp(words);
    return readOptions(again, applyConfigFile(again), words, say);
  };
  return { ...options, readAgain };
}

/** `up` parsed with these arguments, without running it. */
export function parsedUp(words: readonly string[]): Command {
  return upCommand()
    .exitOverride()
    .action(() => {})
    .parse(words, { from: 'user' });
}
async function up(options: SupervisorOptions, isJson: boolean): Promise<void> {
  const print = openOutput(options.say);
  const supervisor = new Supervisor(options);
  // Before the first child is started: children must end before this process does.
  const ended = untilSignalled(supervisor);
  heedOtherSignals(supervisor, options.say);
  if (!(await supervisor.start())) return await ended;
  surviveMistakes(options.say);
  const { proxyUrl, tlsUrl, controlUrl, stateDir, loginUrl, caFlag, warnings } = supervisor;
  const isFound = controlUrl.endsWith(`:${DEFAULT_CONTROL_PORT}`) && caFlag === '';
  if (isJson)
    print(
      `${JSON.stringify({ type: 'ready', proxyUrl, tlsUrl, controlUrl, stateDir, loginUrl, warnings, pids: supervisor.pids() })}\n`,
    );
  else {
    print(
      `site              ${tlsUrl === undefined ? proxyUrl : `${tlsUrl}  and  ${proxyUrl}`}\n` +
        `balancer-manager  ${loginUrl ?? `${controlUrl}/balancer-manager`}\n` +
        `add a program     rollcall run ${isFound ? '' : `--coordinator ${controlUrl}${caFlag} `}-- YOUR PROGRAM {port}\n${warnings.map((warning) => `warning           ${warning}\n`).join('')}`,
    );
  }
  await ended;
}

/** SIGHUP reads the settings again, SIGUSR2 reopens the access log. */
function heedOtherSignals(supervisor: Supervisor, say: (line: string) => void): void {
  const terminal = new Terminal();
  process.on('SIGHUP', () => {
    const hangup = terminal.hangup();
    if (hangup === 'closed') process.kill(process.pid, 'SIGTERM');
    if (hangup !== 'requested') return;
    supervisor.reload().then(
      (message) => say(`reloaded: ${message}`),
      (error: Error) => say(`reload failed, nothing changed: ${error.message}`),
    );
  });
  process.on('SIGUSR2', () => supervisor.reopenLogs());
}

/**
 * An unhandled error in this process must not stop a site that its children serve. Children exit on theirs and are replaced.
 * Called after the start: a start that fails must end the process.
 */
function surviveMistakes(say: (line: string) => void): void {
  const go = (error: unknown): void =>
    say(`internal error in the supervisor, which continues: ${error instanceof Error ? error.stack : String(error)}`);
  // The log's own listener ends the process.
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', go);
  process.on('unhandledRejection', go);
}

/** Serves until the first SIGINT or SIGTERM, then shuts down in order; a second signal ends all processes at once. */
export function untilSignalled(supervisor: Pick<Supervisor, 'close' | 'kill'>): Promise<void> {
  return new Promise((resolve, reject) => {
    let firstMs: number | undefined;
    const onSignal = (): void => {
      if (firstMs !== undefined) {
        // npm and `timeout` forward a signal that the whole process group has already received.
        if (performance.now() - firstMs < ONE_SIGNAL_MS) return;
        supervisor.kill();
        process.exit(EXIT.failed);
      }
      firstMs = performance.now();
      supervisor.close().then(resolve, reject);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
