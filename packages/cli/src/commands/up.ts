import { ONE_SIGNAL_MS } from '@rollcall/agent';
import { DEFAULT_CONTROL_PORT, DEFAULT_PROXY_PORT } from '@rollcall/protocol';
import { Command, Option } from 'commander';
import { parseListenAddress } from '../address.ts';
import { applyConfigFile } from '../config-file.ts';
import { parseDuration } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { secretFrom } from '../secret.ts';
import { defaultStateDirectory } from '../state-directory.ts';
import { type Supervisor, startSupervisor } from '../up/supervisor.ts';
import { VERSION } from '../version.ts';

/** Flags of `up` as commander gives them. */
export interface UpFlags {
  readonly proxy: string;
  readonly control: string;
  readonly agents?: string;
  readonly advertise?: string;
  readonly store?: string;
  readonly stateDir?: string;
  readonly headerTimeout?: string;
  readonly bodyTimeout?: string;
  readonly upstreamTimeout?: string;
  readonly healthPath?: string;
  readonly trustedProxy?: readonly string[];
  readonly nodeAllow?: readonly string[];
  readonly adminAllow?: readonly string[];
  readonly controlHost?: readonly string[];
  readonly retries?: string;
  readonly heartbeat?: string;
  readonly logLevel: string;
  readonly config?: string;
  readonly json?: boolean;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const HELP = `
Each option may also come from ROLLCALL_… in the environment (--proxy: ROLLCALL_PROXY) or from rollcall.json ("proxy": "…").
Secrets come from the environment only: ROLLCALL_JOIN_TOKEN, ROLLCALL_ADMIN_TOKEN, or ROLLCALL_…_TOKEN_FILE naming a file.

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
    .addOption(option('--advertise <url>', "this coordinator's address as agents are told it, ws://…"))
    .addOption(option('--store <store>', 'memory, file:PATH or redis://… (default: a file in the state directory)'))
    .addOption(option('--state-dir <directory>', 'tokens, audit and last cluster (default: by user and control port)'))
    .addOption(option('--header-timeout <duration>', 'for a whole request head (default: 10s)'))
    .addOption(option('--body-timeout <duration>', 'silence within a request body (default: 30s)'))
    .addOption(option('--upstream-timeout <duration>', 'time until a node begins to answer (default: 30s)'))
    .addOption(option('--health-path <path>', 'a path that the proxy itself answers with 200'))
    .addOption(option('--trusted-proxy <cidr...>', 'balancers in front of us whose X-Forwarded-* are believed'))
    .addOption(option('--node-allow <cidr...>', 'where nodes may be, besides the address they register from'))
    .addOption(option('--admin-allow <cidr...>', 'who may use admin API and pages, besides tokens (default: loopback)'))
    .addOption(option('--control-host <name...>', 'further names of the control port'))
    .addOption(option('--retries <n>', 'further attempts after a failed one, 0–10 (default: 2)'))
    .addOption(option('--heartbeat <duration>', 'how often nodes report; suspect after 3, gone after 15 (default: 1s)'))
    .addOption(
      option('--log-level <level>', 'how much is logged to standard error').choices(LOG_LEVELS).default('info'),
    )
    .addOption(new Option('--config <file>', 'settings file (default: rollcall.json, when there is one)'))
    .addOption(new Option('--json', 'say where things are as one line of JSON'))
    .addHelpText('after', HELP);
  return command.action(async () => {
    applyConfigFile(command);
    await up(command.opts<UpFlags>());
  });
}

async function up(flags: UpFlags): Promise<void> {
  const supervisor = await superviseFrom(flags);
  // Before anybody is told that we serve, and may end us.
  const ended = untilSignalled(supervisor);
  const { proxyUrl, controlUrl, stateDir, loginUrl } = supervisor;
  if (flags.json)
    process.stdout.write(
      `${JSON.stringify({ type: 'ready', proxyUrl, controlUrl, stateDir, loginUrl, pids: supervisor.pids() })}\n`,
    );
  else {
    process.stdout.write(
      `site              ${proxyUrl}\n` +
        `balancer-manager  ${loginUrl ?? `${controlUrl}/balancer-manager`}\n` +
        `add a program     rollcall run ${controlUrl.endsWith(`:${DEFAULT_CONTROL_PORT}`) ? '' : `--coordinator ${controlUrl} `}-- YOUR PROGRAM {port}\n`,
    );
  }
  await ended;
}

/** Starts a supervisor as the flags say. Throws a usage failure for flags that make no sense. */
export function superviseFrom(flags: UpFlags): Promise<Supervisor> {
  const heartbeatMs = durationFlag('--heartbeat', flags.heartbeat);
  const retries = retriesFlag(flags.retries);
  const joinToken = secretFrom('ROLLCALL_JOIN_TOKEN', process.env);
  const adminToken = secretFrom('ROLLCALL_ADMIN_TOKEN', process.env);
  return startSupervisor({
    proxy: parseListenAddress(flags.proxy, '--proxy', '0.0.0.0'),
    control: parseListenAddress(flags.control, '--control', '127.0.0.1'),
    stateDirFor: (port) => flags.stateDir ?? defaultStateDirectory(port, process.env),
    store: storeFlag(flags.store),
    controlOptions: {
      version: VERSION,
      logLevel: flags.logLevel,
      balancers: retries === undefined ? [] : [{ name: '*', source: 'flag', patch: { retries } }],
      ...(flags.agents === undefined ? {} : { agentsListen: parseListenAddress(flags.agents, '--agents', '0.0.0.0') }),
      ...(flags.advertise === undefined ? {} : { advertise: flags.advertise }),
      ...(joinToken === undefined ? {} : { joinToken }),
      ...(adminToken === undefined ? {} : { adminToken }),
      ...(heartbeatMs === undefined ? {} : { heartbeatMs, suspectMs: heartbeatMs * 3, leaseMs: heartbeatMs * 15 }),
      ...(flags.adminAllow === undefined ? {} : { adminAllow: listed(flags.adminAllow) }),
      ...(flags.nodeAllow === undefined ? {} : { nodeAllow: listed(flags.nodeAllow) }),
      ...(flags.controlHost === undefined ? {} : { controlHosts: listed(flags.controlHost) }),
    },
    workerOptions: {
      version: VERSION,
      logLevel: flags.logLevel,
      trustedProxies: listed(flags.trustedProxy ?? []),
      ...(flags.healthPath === undefined ? {} : { healthPath: pathFlag(flags.healthPath) }),
      ...timeoutFlag('headerTimeoutMs', '--header-timeout', flags.headerTimeout),
      ...timeoutFlag('bodyTimeoutMs', '--body-timeout', flags.bodyTimeout),
      ...timeoutFlag('upstreamTimeoutMs', '--upstream-timeout', flags.upstreamTimeout),
    },
    say: (line) => process.stderr.write(`rollcall: ${line}\n`),
  });
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

/** A variable gives a list as one text with commas. */
function listed(values: readonly string[] | string): readonly string[] {
  return (typeof values === 'string' ? [values] : values)
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

function durationFlag(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined || ms <= 0)
    throw new CliFailure(`${flag} ${text} is not a duration like 500ms, 30s or 15m`, EXIT.usage);
  return ms;
}

function timeoutFlag<Key extends string>(
  key: Key,
  flag: string,
  text: string | undefined,
): { readonly [K in Key]?: number } {
  const ms = durationFlag(flag, text);
  return ms === undefined ? {} : ({ [key]: ms } as { readonly [K in Key]: number });
}

function retriesFlag(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^(?:[0-9]|10)$/.test(text)) throw new CliFailure(`--retries ${text} is not a number from 0 to 10`, EXIT.usage);
  return Number(text);
}

function pathFlag(text: string): string {
  if (!/^\/[!-~]*$/.test(text)) throw new CliFailure(`--health-path ${text} is not a path like /healthz`, EXIT.usage);
  return text;
}

function storeFlag(text: string | undefined): string | undefined {
  if (text === undefined || text === 'memory' || /^file:.+/.test(text) || /^rediss?:\/\/.+/.test(text)) return text;
  throw new CliFailure(`--store ${text} is not memory, file:PATH or redis://HOST:PORT`, EXIT.usage);
}
