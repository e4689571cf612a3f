/** Options of `up` as options of the supervisor: validated, with defaults. */

import { readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import type { LogFormat } from '@rollcall/logging';
import {
  type ContextPath,
  MIN_TOKEN_CHARACTERS,
  parseContextPath,
  printableUrl,
  shortTokenText,
} from '@rollcall/protocol';
import {
  ACCESS_LOG_FORMATS,
  type AccessLogFormat,
  type AccessLogOptions,
  type CertificateFiles,
  checkCertificates,
  type LimitChanges,
  type NodeTlsOptions,
  nodeTls,
  readAjpSecret,
  readStickySecrets,
} from '@rollcall/proxy';
import { isRedisAddress, parseRedisAddress } from '@rollcall/store-redis';
import { type ListenAddress, overlap, parseListenAddress } from '../address.ts';
import { durationFlag } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { secretFrom } from '../secret.ts';
import { defaultStateDirectory } from '../state-directory.ts';
import type { StaticSite } from '../static/static-site.ts';
import { keptJoinToken } from '../token-directory.ts';
import type { ControlTlsFiles } from '../up/process-options.ts';
import type { SupervisorOptions } from '../up/supervisor.ts';
import { VERSION } from '../version.ts';
import { withAlgorithmFiles } from './algorithm-files.ts';
import { type FrontFlags, frontFlags, rangesFlag } from './front-flags.ts';
import { limitsFrom } from './limits.ts';
import { listed, listedFiles, listedFrom } from './listed.ts';
import { mcmpFlags } from './mcmp-flags.ts';
import type { Source, SourceOf } from './origins.ts';
import { quotasFrom } from './quotas.ts';
import { scopedLimit } from './time-limits.ts';

/** Flags of `up` as parsed by commander. */
export interface UpFlags extends FrontFlags {
  readonly proxy: string;
  readonly control: string;
  readonly agents?: string;
  readonly mcmp?: string;
  readonly mcmpAllow?: readonly string[];
  readonly mcmpAdvertise?: string | boolean;
  readonly mcmpAdvertiseInterface?: string;
  readonly mcmpAdvertiseKeyFile?: string;
  readonly mcmpAliases?: string;
  readonly controlCert?: string;
  readonly controlKey?: string;
  readonly controlClientCa?: string;
  readonly advertise?: string;
  readonly store?: string;
  readonly storeCa?: string;
  readonly cluster?: string;
  readonly name?: string;
  readonly stateDir?: string;
  readonly tokenDir?: string;
  readonly workers?: string;
  readonly grace?: string;
  readonly tls?: string;
  readonly tlsCert?: readonly string[];
  readonly tlsKey?: readonly string[];
  readonly upstreamCa?: string;
  readonly upstreamName?: string;
  readonly accessLog?: string;
  readonly accessLogFormat?: string;
  readonly errorPage?: readonly string[];
  readonly limit?: readonly string[];
  readonly quota?: readonly string[];
  readonly headerTimeout?: string;
  readonly bodyTimeout?: string;
  readonly upstreamTimeout?: string;
  readonly healthPath?: string;
  readonly stickySecretFile?: string;
  readonly ajpSecretFile?: string;
  readonly exclude?: readonly string[];
  readonly static?: readonly string[];
  readonly nodeAllow?: readonly string[];
  readonly adminAllow?: readonly string[];
  readonly controlHost?: readonly string[];
  readonly controlTrustedProxy?: readonly string[];
  readonly controlUrl?: string;
  readonly heartbeat?: string;
  readonly logLevel: string;
  readonly logFormat: LogFormat;
  readonly config?: string;
  readonly json?: boolean;
}

/** Time for replaced workers to finish, milliseconds. */
const DEFAULT_GRACE_MS = 60_000;
const MAX_WORKERS = 64;
/** Shortest heartbeat interval that the coordinator accepts, milliseconds. */
const MIN_HEARTBEAT_MS = 20;
/** Largest error page of the operator, octets. */
const MAX_PAGE_BYTES = 1_048_576;

/** Throws a usage failure for invalid options. `say` gets log lines of the supervisor. `sourceOf`: default, all are flags. */
export function supervisorOptions(
  flags: UpFlags,
  settings: readonly BalancerSettingsOption[],
  say: (line: string) => void,
  sourceOf: SourceOf = () => 'flag',
): SupervisorOptions {
  const { balancers, algorithmFiles } = withAlgorithmFiles(settings);
  const heartbeatMs = durationFlag('--heartbeat', flags.heartbeat, { minMs: MIN_HEARTBEAT_MS });
  const joinToken = joinTokenFor(flags, say);
  const adminToken = longEnough(
    'ROLLCALL_ADMIN_TOKEN',
    secretFrom('ROLLCALL_ADMIN_TOKEN', process.env, {
      consequence: 'the admin token of the state directory is used',
      warn: say,
    }),
  );
  const { proxy, tls, control, agents, mcmp } = listenFlags(flags);
  const controlTls = controlTlsFlags(flags);
  const store = storeFlag(flags.store, sourceOf('store'), say);
  const storeCa = storeCaFlag(flags.storeCa, store);
  return {
    proxy,
    tls,
    control,
    isControlTls: controlTls !== undefined,
    stateDirFor: (port) => flags.stateDir ?? defaultStateDirectory(port, process.env),
    store,
    workers: workersFlag(flags.workers),
    graceMs: durationFlag('--grace', flags.grace, { minMs: 1 }) ?? DEFAULT_GRACE_MS,
    controlOptions: {
      version: VERSION,
      logLevel: flags.logLevel,
      logFormat: flags.logFormat,
      balancers,
      ownAlgorithms: Object.keys(algorithmFiles),
      ...(flags.name === undefined ? {} : { name: nameFlag(flags.name) }),
      ...(storeCa === undefined ? {} : { storeCa }),
      ...(flags.cluster === undefined ? {} : { clusterName: clusterFlag(flags.cluster) }),
      ...(agents === undefined ? {} : { agentsListen: agents }),
      ...mcmpFlags(flags, mcmp),
      ...(controlTls === undefined ? {} : { controlTls }),
      ...(flags.advertise === undefined ? {} : { advertise: flags.advertise }),
      ...(joinToken === undefined ? {} : { joinToken }),
      ...(adminToken === undefined ? {} : { adminToken }),
      ...(heartbeatMs === undefined ? {} : { heartbeatMs, suspectMs: heartbeatMs * 3, leaseMs: heartbeatMs * 15 }),
      ...(flags.adminAllow === undefined ? {} : { adminAllow: rangesFlag('--admin-allow', flags.adminAllow) }),
      ...(flags.nodeAllow === undefined ? {} : { nodeAllow: rangesFlag('--node-allow', flags.nodeAllow) }),
      ...(flags.controlUrl === undefined ? {} : { controlUrl: webAddressFlag(flags.controlUrl) }),
      ...(flags.controlTrustedProxy === undefined
        ? {}
        : { controlTrustedProxies: rangesFlag('--control-trusted-proxy', flags.controlTrustedProxy) }),
      ...(flags.quota === undefined ? {} : { quotas: quotasFrom(listed(flags.quota)) }),
      ...(flags.controlHost === undefined ? {} : { controlHosts: listed(flags.controlHost) }),
    },
    workerOptions: {
      version: VERSION,
      logLevel: flags.logLevel,
      logFormat: flags.logFormat,
      ...frontFlags(flags),
      excludedPaths: listedFrom(flags.exclude ?? [], /\//).map((text) => contextFlag('--exclude', text)),
      limits: limitFlags(flags, sourceOf),
      certificates: certificateFlags(flags),
      nodeTls: nodeTlsFlags(flags),
      algorithmFiles,
      errorPages: errorPageFlags(listedFrom(flags.errorPage ?? [], /\d{3}=/)),
      ...accessLogFlags(flags),
      ...(flags.healthPath === undefined ? {} : { healthPath: pathFlag(flags.healthPath) }),
      ...(flags.stickySecretFile === undefined ? {} : { stickySecretFile: secretFileFlag(flags.stickySecretFile) }),
      ...(flags.ajpSecretFile === undefined ? {} : { ajpSecretFile: ajpSecretFlag(flags.ajpSecretFile) }),
    },
    staticSites: listedFrom(flags.static ?? [], /\/[^,=]*=/).map(staticFlag),
    say,
  };
}

interface ListenFlags {
  readonly proxy: ListenAddress;
  readonly tls: ListenAddress | undefined;
  readonly control: ListenAddress;
  readonly agents: ListenAddress | undefined;
  readonly mcmp: ListenAddress | undefined;
}

/** Listeners of `up`. Throws a usage failure if two listeners have the same port. */
function listenFlags(flags: Pick<UpFlags, 'proxy' | 'tls' | 'control' | 'agents' | 'mcmp'>): ListenFlags {
  const listen: ListenFlags = {
    proxy: parseListenAddress(flags.proxy, '--proxy', '0.0.0.0'),
    tls: flags.tls === undefined ? undefined : parseListenAddress(flags.tls, '--tls', '0.0.0.0'),
    control: parseListenAddress(flags.control, '--control', '127.0.0.1'),
    agents: flags.agents === undefined ? undefined : parseListenAddress(flags.agents, '--agents', '0.0.0.0'),
    mcmp: flags.mcmp === undefined ? undefined : parseListenAddress(flags.mcmp, '--mcmp', '127.0.0.1'),
  };
  const named = Object.entries(listen).filter((entry): entry is [string, ListenAddress] => entry[1] !== undefined);
  for (const [index, [name, address]] of named.entries()) {
    const [other] = named.slice(0, index).find(([, earlier]) => overlap(earlier, address)) ?? [];
    if (other !== undefined)
      throw new CliFailure(`--${other} and --${name} both use port ${address.port}: choose two ports`, EXIT.usage);
  }
  return listen;
}

/** Limits of the whole proxy: `--limit`, and the options of single timeouts. */
function limitFlags({ limit, headerTimeout, bodyTimeout, upstreamTimeout }: UpFlags, sourceOf: SourceOf): LimitChanges {
  const own = [
    ['header-timeout', headerTimeout, 'headerTimeout'],
    ['body-timeout', bodyTimeout, 'bodyTimeout'],
    ['upstream-timeout', upstreamTimeout, 'upstreamTimeout'],
  ] as const;
  const from = (attribute: string): { source: Source } => ({ source: sourceOf(attribute) ?? 'flag' });
  return limitsFrom([
    ...listed(limit ?? []).flatMap((text) =>
      scopedLimit(text) === undefined ? [{ flag: '--limit', text, ...from('limit') }] : [],
    ),
    ...own.flatMap(([name, value, attribute]) =>
      value === undefined ? [] : [{ flag: `--${name}`, text: `${name}=${value}`, ...from(attribute) }],
    ),
  ]);
}

function workersFlag(text: string | undefined): number {
  if (text === undefined) return 1;
  if (text === 'auto') return Math.min(MAX_WORKERS, availableParallelism());
  const count = Number(text);
  if (/^\d{1,2}$/.test(text) && count >= 1 && count <= MAX_WORKERS) return count;
  throw new CliFailure(`--workers ${text} is not auto or a number from 1 to ${MAX_WORKERS}`, EXIT.usage);
}

function certificateFlags({ tls, tlsCert, tlsKey }: UpFlags): CertificateFiles[] {
  const certs = listedFiles(tlsCert ?? []);
  const keys = listedFiles(tlsKey ?? []);
  if (tls === undefined && certs.length + keys.length === 0) return [];
  if (tls === undefined) throw new CliFailure('--tls-cert and --tls-key need --tls, the TLS listener', EXIT.usage);
  if (certs.length === 0 || certs.length !== keys.length)
    throw new CliFailure(
      `--tls needs as many --tls-key as --tls-cert, at least one of each; there are ${keys.length} and ${certs.length}`,
      EXIT.usage,
    );
  const files = certs.map((cert, i) => ({ cert: resolve(cert), key: resolve(keys[i]!) }));
  try {
    checkCertificates(files);
  } catch (error) {
    throw new CliFailure(`--tls-cert: ${(error as Error).message}`, EXIT.usage);
  }
  return files;
}

function controlTlsFlags({ controlCert, controlKey, controlClientCa }: UpFlags): ControlTlsFiles | undefined {
  if (controlCert === undefined && controlKey === undefined && controlClientCa === undefined) return undefined;
  if (controlCert === undefined || controlKey === undefined)
    throw new CliFailure('TLS on the control port needs both --control-cert and --control-key', EXIT.usage);
  const files = {
    cert: resolve(controlCert),
    key: resolve(controlKey),
    ...(controlClientCa === undefined ? {} : { clientCa: resolve(controlClientCa) }),
  };
  try {
    checkCertificates([files], files.clientCa);
  } catch (error) {
    throw new CliFailure(`--control-cert: ${(error as Error).message}`, EXIT.usage);
  }
  return files;
}

function nodeTlsFlags({ upstreamCa, upstreamName }: UpFlags): NodeTlsOptions {
  const options = {
    ...(upstreamCa === undefined ? {} : { caFile: resolve(upstreamCa) }),
    ...(upstreamName === undefined ? {} : { serverName: upstreamName }),
  };
  try {
    nodeTls(options);
    return options;
  } catch (error) {
    throw new CliFailure(`--upstream-ca: ${(error as Error).message}`, EXIT.usage);
  }
}

function accessLogFlags({ accessLog, accessLogFormat = 'combined' }: UpFlags): {
  readonly accessLog?: AccessLogOptions;
} {
  if (!isAccessLogFormat(accessLogFormat))
    throw new CliFailure(
      `--access-log-format ${accessLogFormat} is not one of ${ACCESS_LOG_FORMATS.join(', ')}`,
      EXIT.usage,
    );
  if (accessLog === undefined || accessLog === 'off') return {};
  if (accessLog === '-') return { accessLog: { path: '-', format: accessLogFormat } };
  const path = resolve(accessLog);
  if (!isDirectory(dirname(path)))
    throw new CliFailure(`--access-log ${accessLog}: there is no directory ${dirname(path)}`, EXIT.usage);
  if (isDirectory(path)) throw new CliFailure(`--access-log ${accessLog} is a directory, not a file`, EXIT.usage);
  return { accessLog: { path, format: accessLogFormat } };
}

function isAccessLogFormat(text: string): text is AccessLogFormat {
  return ACCESS_LOG_FORMATS.some((format) => format === text);
}

function errorPageFlags(texts: readonly string[]): Record<string, string> {
  const pages: Record<string, string> = {};
  for (const text of texts) {
    const [, status, path] = /^([45]\d\d)=(.+)$/.exec(text) ?? [];
    if (status === undefined || path === undefined)
      throw new CliFailure(`--error-page ${text}: write STATUS=FILE, like 503=sorry.html`, EXIT.usage);
    const file = resolve(path);
    try {
      if (readFileSync(file).length > MAX_PAGE_BYTES)
        throw new Error(`${file} is larger than ${MAX_PAGE_BYTES} octets`);
    } catch (error) {
      throw new CliFailure(`--error-page ${text}: ${(error as Error).message}`, EXIT.usage);
    }
    pages[status] = file;
  }
  return pages;
}

function joinTokenFor({ tokenDir }: UpFlags, say: (line: string) => void): string | undefined {
  const consequence =
    tokenDir === undefined
      ? 'agents on this machine need no token, unless `rollcall token create` made one'
      : `the join token is read from ${tokenDir}`;
  const secret = secretFrom('ROLLCALL_JOIN_TOKEN', process.env, { consequence, warn: say });
  const given = longEnough('ROLLCALL_JOIN_TOKEN', secret);
  if (tokenDir === undefined) return given;
  if (given === undefined) return longEnough(`${tokenDir}/join-token`, keptJoinToken(tokenDir));
  throw new CliFailure('ROLLCALL_JOIN_TOKEN and --token-dir name a join token each: give one of them', EXIT.usage);
}

/** The token itself. Throws a usage failure for a token that can be guessed. */
function longEnough(source: string, token: string | undefined): string | undefined {
  if (token === undefined || token.length >= MIN_TOKEN_CHARACTERS) return token;
  throw new CliFailure(shortTokenText(source, token), EXIT.usage);
}

function webAddressFlag(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text).origin;
  throw new CliFailure(
    `--control-url ${printableUrl(text)} is not an address like https://rollcall.example.net`,
    EXIT.usage,
  );
}

function pathFlag(text: string): string {
  if (!/^\/[!-~]*$/.test(text)) throw new CliFailure(`--health-path ${text} is not a path like /healthz`, EXIT.usage);
  return text;
}

function staticFlag(text: string): StaticSite {
  const equals = text.indexOf('=');
  if (equals < 1 || equals === text.length - 1)
    throw new CliFailure(`--static ${text}: write PATH=DIRECTORY, like /docs=./public`, EXIT.usage);
  const context = contextFlag('--static', text.slice(0, equals));
  const directory = resolve(text.slice(equals + 1));
  if (!isDirectory(directory)) throw new CliFailure(`--static ${text}: there is no directory ${directory}`, EXIT.usage);
  return { context, directory };
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
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

function ajpSecretFlag(path: string): string {
  try {
    readAjpSecret(path);
    return resolve(path);
  } catch (error) {
    throw new CliFailure(`--ajp-secret-file: ${(error as Error).message}`, EXIT.usage);
  }
}

/** The name of a coordinator is shown in one line of text, and separated by commas. */
function nameFlag(name: string): string {
  if (/^[\w.:@-]{1,128}$/.test(name)) return name;
  throw new CliFailure(`--name ${name} is not 1 to 128 letters, digits and _ . : @ -`, EXIT.usage);
}

function clusterFlag(text: string): string {
  if (/^[\w:-]{1,64}$/.test(text)) return text;
  throw new CliFailure(`--cluster ${text} is not 1 to 64 letters, digits and _ : -`, EXIT.usage);
}

/** The store from flag, environment or settings file. `ROLLCALL_STORE_FILE` is part of the environment. */
function storeFlag(
  text: string | undefined,
  source: Source | undefined,
  say: (line: string) => void,
): string | undefined {
  const isOverFile = text !== undefined && source !== 'file';
  const consequence = 'the store is a file in the state directory';
  const fromFile = isOverFile ? undefined : secretFrom('ROLLCALL_STORE', fileOnly(), { consequence, warn: say });
  const store = fromFile ?? text;
  if (store === undefined || store === 'memory' || /^file:.+/.test(store)) return store;
  if (!isRedisAddress(store))
    throw new CliFailure(`--store ${printableUrl(store)} is not memory, file:PATH or redis://HOST:PORT`, EXIT.usage);
  try {
    parseRedisAddress(store);
    return store;
  } catch (error) {
    throw new CliFailure(`--store: ${(error as Error).message}`, EXIT.usage);
  }
}

function fileOnly(): NodeJS.ProcessEnv {
  return { ROLLCALL_STORE_FILE: process.env['ROLLCALL_STORE_FILE'] };
}

/** The certificates themselves: a control process that is restarted must not depend on a file that may be gone. */
function storeCaFlag(path: string | undefined, store: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (store === undefined || !isRedisAddress(store) || !parseRedisAddress(store).hasTls)
    throw new CliFailure('--store-ca needs a --store with TLS, like rediss://HOST:PORT', EXIT.usage);
  try {
    const ca = readFileSync(resolve(path), 'utf8');
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it has no certificate in PEM form');
    createSecureContext({ ca });
    return ca;
  } catch (error) {
    throw new CliFailure(`--store-ca: cannot use ${resolve(path)}: ${(error as Error).message}`, EXIT.usage);
  }
}
