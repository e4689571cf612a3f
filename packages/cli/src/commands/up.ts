import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { ONE_SIGNAL_MS } from '@rollcall/agent';
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import { type ContextPath, DEFAULT_CONTROL_PORT, DEFAULT_PROXY_PORT, parseContextPath } from '@rollcall/protocol';
import { readStickySecrets } from '@rollcall/proxy';
import { Command, Option } from 'commander';
import { parseListenAddress } from '../address.ts';
import { applyConfigFile } from '../config-file.ts';
import { parseDuration } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { secretFrom } from '../secret.ts';
import { settingOptions, startSettings } from '../settings/start-settings.ts';
import { defaultStateDirectory } from '../state-directory.ts';
import type { StaticSite } from '../static/static-site.ts';
import { keptJoinToken } from '../token-directory.ts';
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
  readonly tokenDir?: string;
  readonly headerTimeout?: string;
  readonly bodyTimeout?: string;
  readonly upstreamTimeout?: string;
  readonly healthPath?: string;
  readonly stickySecretFile?: string;
  readonly exclude?: readonly string[];
  readonly static?: readonly string[];
  readonly trustedProxy?: readonly string[];
  readonly nodeAllow?: readonly string[];
  readonly adminAllow?: readonly string[];
  readonly controlHost?: readonly string[];
  readonly controlUrl?: string;
  readonly heartbeat?: string;
  readonly logLevel: string;
  readonly config?: string;
  readonly json?: boolean;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const HELP = `
Each option may also come from ROLLCALL_… in the environment (--proxy: ROLLCALL_PROXY) or from rollcall.json ("proxy": "…").
Settings of one balancer go under "balancers" there: { "balancers": { "shop": { "retries": 1, "sticky": { "mode": "suffix" } } } }.
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
    .addOption(option('--token-dir <directory>', 'keep a join token for nodes here, made at the first start'))
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
    .addOption(option('--control-url <url>', 'where browsers reach the control port (default: where it listens)'))
    .addOption(option('--heartbeat <duration>', 'how often nodes report; suspect after 3, gone after 15 (default: 1s)'))
    .addOption(
      option('--log-level <level>', 'how much is logged to standard error').choices(LOG_LEVELS).default('info'),
    )
    .addOption(new Option('--config <file>', 'settings file (default: rollcall.json, when there is one)'))
    .addOption(new Option('--json', 'say where things are as one line of JSON'))
    .addHelpText('after', HELP);
  for (const setting of settingOptions()) command.addOption(setting);
  return command.action(async () => {
    const { path, balancers } = applyConfigFile(command);
    await up(command.opts<UpFlags>(), startSettings(command, balancers, path));
  });
}

async function up(flags: UpFlags, balancers: readonly BalancerSettingsOption[]): Promise<void> {
  const supervisor = await superviseFrom(flags, balancers);
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
export function superviseFrom(flags: UpFlags, balancers: readonly BalancerSettingsOption[]): Promise<Supervisor> {
  const heartbeatMs = durationFlag('--heartbeat', flags.heartbeat);
  const joinToken = joinTokenFor(flags);
  const adminToken = secretFrom('ROLLCALL_ADMIN_TOKEN', process.env);
  return startSupervisor({
    proxy: parseListenAddress(flags.proxy, '--proxy', '0.0.0.0'),
    control: parseListenAddress(flags.control, '--control', '127.0.0.1'),
    stateDirFor: (port) => flags.stateDir ?? defaultStateDirectory(port, process.env),
    store: storeFlag(flags.store),
    controlOptions: {
      version: VERSION,
      logLevel: flags.logLevel,
      balancers,
      ...(flags.agents === undefined ? {} : { agentsListen: parseListenAddress(flags.agents, '--agents', '0.0.0.0') }),
      ...(flags.advertise === undefined ? {} : { advertise: flags.advertise }),
      ...(joinToken === undefined ? {} : { joinToken }),
      ...(adminToken === undefined ? {} : { adminToken }),
      ...(heartbeatMs === undefined ? {} : { heartbeatMs, suspectMs: heartbeatMs * 3, leaseMs: heartbeatMs * 15 }),
      ...(flags.adminAllow === undefined ? {} : { adminAllow: listed(flags.adminAllow) }),
      ...(flags.nodeAllow === undefined ? {} : { nodeAllow: listed(flags.nodeAllow) }),
      ...(flags.controlUrl === undefined ? {} : { controlUrl: webAddressFlag(flags.controlUrl) }),
      ...(flags.controlHost === undefined ? {} : { controlHosts: listed(flags.controlHost) }),
    },
    workerOptions: {
      version: VERSION,
      logLevel: flags.logLevel,
      trustedProxies: listed(flags.trustedProxy ?? []),
      excludedPaths: listed(flags.exclude ?? []).map((text) => contextFlag('--exclude', text)),
      ...(flags.healthPath === undefined ? {} : { healthPath: pathFlag(flags.healthPath) }),
      ...(flags.stickySecretFile === undefined ? {} : { stickySecretFile: secretFileFlag(flags.stickySecretFile) }),
      ...timeoutFlag('headerTimeoutMs', '--header-timeout', flags.headerTimeout),
      ...timeoutFlag('bodyTimeoutMs', '--body-timeout', flags.bodyTimeout),
      ...timeoutFlag('upstreamTimeoutMs', '--upstream-timeout', flags.upstreamTimeout),
    },
    staticSites: listed(flags.static ?? []).map(staticFlag),
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

function joinTokenFor({ tokenDir }: UpFlags): string | undefined {
  const given = secretFrom('ROLLCALL_JOIN_TOKEN', process.env);
  if (tokenDir === undefined) return given;
  if (given === undefined) return keptJoinToken(tokenDir);
  throw new CliFailure('ROLLCALL_JOIN_TOKEN and --token-dir name a join token each: give one of them', EXIT.usage);
}

function webAddressFlag(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text).origin;
  throw new CliFailure(`--control-url ${text} is not an address like https://rollcall.example.net`, EXIT.usage);
}

function pathFlag(text: string): string {
  if (!/^\/[!-~]*$/.test(text)) throw new CliFailure(`--health-path ${text} is not a path like /healthz`, EXIT.usage);
  return text;
}

function staticFlag(text: string): StaticSite {
  const equals = text.indexOf('=');
  const context = contextFlag('--static', text.slice(0, Math.max(0, equals)));
  const directory = resolve(text.slice(equals + 1));
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
    throw new CliFailure(`--static ${text}: there is no directory ${directory}`, EXIT.usage);
  return { context, directory };
}

function contextFlag(flag: string, text: string): ContextPath {
  const path = parseContextPath(text);
  if (path === undefined) throw new CliFailure(`${flag} ${text} is not a path like /private`, EXIT.usage);
  return path;
}

function secretFileFlag(path: string): string {
  try {
    readStickySecrets(path);
    return resolve(path);
  } catch (error) {
    throw new CliFailure(`--sticky-secret-file: ${(error as Error).message}`, EXIT.usage);
  }
}

function storeFlag(text: string | undefined): string | undefined {
  if (text === undefined || text === 'memory' || /^file:.+/.test(text) || /^rediss?:\/\/.+/.test(text)) return text;
  throw new CliFailure(`--store ${text} is not memory, file:PATH or redis://HOST:PORT`, EXIT.usage);
}
