import { ONE_SIGNAL_MS } from '@rollcall/agent';
import { openOutput, openPlainLog } from '@rollcall/logging';
import { DEFAULT_CONTROL_PORT, DEFAULT_PROXY_PORT } from '@rollcall/protocol';
import { ACCESS_LOG_FORMATS } from '@rollcall/proxy';
import { Command, Option } from 'commander';
import { applyConfigFile } from '../config-file.ts';
import { EXIT } from '../exit.ts';
import { limitsHelp } from '../settings/limits.ts';
import { quotasHelp } from '../settings/quotas.ts';
import { settingOptions, startSettings } from '../settings/start-settings.ts';
import { supervisorOptions, type UpFlags } from '../settings/up-settings.ts';
import { Terminal } from '../terminal.ts';
import { Supervisor, type SupervisorOptions } from '../up/supervisor.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const HELP = `
Each option may also come from ROLLCALL_… in the environment (--proxy: ROLLCALL_PROXY) or from rollcall.json ("proxy": "…").
Settings of one balancer go under "balancers" there: { "balancers": { "shop": { "retries": 1, "sticky": { "mode": "suffix" } } } }.
${limitsHelp()}
${quotasHelp()}

Secrets come from the environment only: ROLLCALL_JOIN_TOKEN, ROLLCALL_ADMIN_TOKEN, or ROLLCALL_…_TOKEN_FILE naming a file,
of 16 characters or more. Further tokens: rollcall token.

  rollcall up
  rollcall up --proxy 0.0.0.0:80 --control 127.0.0.1:8400
  ROLLCALL_JOIN_TOKEN_FILE=/run/join rollcall up --control 0.0.0.0:8400 --store redis://redis:6379
`;

/** `rollcall up`: coordinator and proxy. */
export function upCommand(): Command {
  const option = (flags: string, description: string): Option => {
    const made = new Option(flags, description);
    return made.env(`ROLLCALL_${made.name().replaceAll('-', '_').toUpperCase()}`);
  };
  const command = new Command('up')
    .description('start a coordinator and its proxy')
    .addOption(option('--proxy <address>', 'where clients connect').default(`0.0.0.0:${DEFAULT_PROXY_PORT}`))
    .addOption(
      option('--control <address>', 'where agents and operators connect').default(`127.0.0.1:${DEFAULT_CONTROL_PORT}`),
    )
    .addOption(option('--agents <address>', 'another address for agents and workers alone'))
    .addOption(option('--control-cert <file>', 'certificate chain (PEM) of both: they speak TLS then'))
    .addOption(option('--control-key <file>', 'its private key (PEM)'))
    .addOption(
      option('--control-client-ca <file>', 'authorities (PEM) whose client certificates may stand for a token'),
    )
    .addOption(option('--advertise <url>', "this coordinator's address as agents are told it, ws://…"))
    .addOption(option('--store <store>', 'memory, file:PATH or redis://… (default: a file in the state directory)'))
    .addOption(option('--state-dir <directory>', 'tokens, audit and last cluster (default: by user and control port)'))
    .addOption(option('--token-dir <directory>', 'keep a join token for nodes here, made at the first start'))
    .addOption(option('--workers <n>', 'proxy processes, 1 to 64, or auto: one for each core (default: 1)'))
    .addOption(option('--grace <duration>', 'how long replaced workers may finish what they have (default: 60s)'))
    .addOption(option('--tls <address>', 'where clients connect with TLS'))
    .addOption(option('--tls-cert <file...>', 'certificate chains (PEM); the first answers for names that none is for'))
    .addOption(option('--tls-key <file...>', 'their keys, in the same order'))
    .addOption(option('--upstream-ca <file>', 'who signs the certificates of https nodes (default: whom Node trusts)'))
    .addOption(
      option('--upstream-name <name>', 'the name these certificates are for (default: the host of their address)'),
    )
    .addOption(
      option('--access-log <file>', 'a line for each request: a file, - for standard output, or off (default: off)'),
    )
    .addOption(
      option('--access-log-format <format>', 'form of its lines').choices(ACCESS_LOG_FORMATS).default('combined'),
    )
    .addOption(option('--error-page <status=file...>', 'pages for browsers in place of ours, like 503=sorry.html'))
    .addOption(option('--limit <name=value...>', 'other bounds than the defaults, see below'))
    .addOption(option('--quota <name=number...>', 'what one token, balancer or address may hold, see below'))
    .addOption(option('--header-timeout <duration>', 'for a whole request head (default: 10s)'))
    .addOption(option('--body-timeout <duration>', 'silence within a request body (default: 30s)'))
    .addOption(option('--upstream-timeout <duration>', 'time until a node begins to answer (default: 30s)'))
    .addOption(option('--health-path <path>', 'a path that the proxy itself answers with 200'))
    .addOption(
      option(
        '--sticky-secret-file <file>',
        'seal our session cookies with the secret in it, so that no client aims at a node',
      ),
    )
    .addOption(option('--static <path=directory...>', 'serve the files of a directory under a path'))
    .addOption(option('--exclude <path...>', 'paths that no node is asked for, with all below them'))
    .addOption(option('--trusted-proxy <cidr...>', 'balancers in front of us whose X-Forwarded-* are believed'))
    .addOption(option('--node-allow <cidr...>', 'where nodes may be, besides the address they register from'))
    .addOption(option('--admin-allow <cidr...>', 'who may use admin API and pages, besides tokens (default: loopback)'))
    .addOption(option('--control-host <name...>', 'further names of the control port'))
    .addOption(
      option(
        '--control-trusted-proxy <cidr...>',
        'TLS proxies in front of the control port whose X-Forwarded-* are believed',
      ),
    )
    .addOption(option('--control-url <url>', 'where browsers reach the control port (default: where it listens)'))
    .addOption(option('--heartbeat <duration>', 'how often nodes report; suspect after 3, gone after 15 (default: 1s)'))
    .addOption(
      option('--log-level <level>', 'how much is logged to standard error').choices(LOG_LEVELS).default('info'),
    )
    .addOption(new Option('--config <file>', 'settings file (default: rollcall.json, when there is one)'))
    .addOption(new Option('--json', 'say where things are as one line of JSON'))
    .addHelpText('after', HELP);
  for (const setting of settingOptions()) command.addOption(setting);
  return command.action(() => {
    const options = readOptions(command, command.parent?.args.slice(1) ?? [], openPlainLog());
    return up(options, command.opts<UpFlags>().json === true);
  });
}

/** What the options of `command` come to, with the settings file as it is now. `words` are those it was given. */
function readOptions(command: Command, words: readonly string[], say: (line: string) => void): SupervisorOptions {
  const { path, balancers } = applyConfigFile(command);
  const options = supervisorOptions(command.opts<UpFlags>(), startSettings(command, balancers, path), say);
  return { ...options, readAgain: () => readOptions(parsedUp(words), words, say) };
}

/** `up` with these words, not run. */
export function parsedUp(words: readonly string[]): Command {
  return upCommand()
    .exitOverride()
    .action(() => {})
    .parse(words, { from: 'user' });
}
async function up(options: SupervisorOptions, isJson: boolean): Promise<void> {
  const print = openOutput(options.say);
  const supervisor = new Supervisor(options);
  // Before anything is started: whenever we end, our children are to end first.
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

/** SIGHUP reads the settings again, SIGUSR2 opens the access log again. */
function heedOtherSignals(supervisor: Supervisor, say: (line: string) => void): void {
  const terminal = new Terminal();
  process.on('SIGHUP', () => {
    const hangup = terminal.hangup();
    if (hangup === 'closed') process.kill(process.pid, 'SIGTERM');
    if (hangup !== 'asked') return;
    supervisor.reload().then(
      (message) => say(`reloaded: ${message}`),
      (error: Error) => say(`not reloaded, everything stays as it was: ${error.message}`),
    );
  });
  process.on('SIGUSR2', () => supervisor.reopenLogs());
}

/**
 * A mistake in this process must not take down a site that its children serve. They end by theirs, and are replaced.
 * Not before everything serves: a start that fails has to end.
 */
function surviveMistakes(say: (line: string) => void): void {
  const go = (error: unknown): void =>
    say(`internal error in the supervisor, it goes on: ${error instanceof Error ? error.stack : String(error)}`);
  // The log's own listener ends the process.
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', go);
  process.on('unhandledRejection', go);
}

/** Serves until the first SIGINT or SIGTERM, then ends in order; a second one ends everything at once. */
export function untilSignalled(supervisor: Pick<Supervisor, 'close' | 'kill'>): Promise<void> {
  return new Promise((resolve, reject) => {
    let firstMs: number | undefined;
    const onSignal = (): void => {
      if (firstMs !== undefined) {
        // npm and `timeout` pass on what the whole group has already got.
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
