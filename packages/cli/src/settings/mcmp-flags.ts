/** The flags of `up` for nodes of mod_cluster. */
import { isIPv4 } from 'node:net';
import { readAjpSecret } from '@rollcall/proxy';
import { addressText, type ListenAddress, parseListenAddress } from '../address.ts';
import { CliFailure, EXIT } from '../exit.ts';
import type { ControlOptions } from '../up/process-options.ts';
import { rangesFlag } from './front-flags.ts';
import { listed } from './listed.ts';
import { flag } from './vocabulary.ts';

export interface McmpFlags {
  readonly mcmpAllow?: readonly string[];
  readonly mcmpAliases?: string;
  readonly mcmpAdvertise?: string | boolean;
  readonly mcmpAdvertiseInterface?: string;
  readonly mcmpAdvertiseKeyFile?: string;
  readonly controlCert?: string;
  readonly controlClientCa?: string;
}

/** Group and port of mod_advertise and the Java listener. */
const DEFAULT_GROUP = { host: '224.0.1.105', port: 23_364 };

type McmpListener = NonNullable<ControlOptions['mcmp']>;

/** The listener for mod_cluster. Throws a usage failure if every peer could use it. */
export function mcmpFlags(flags: McmpFlags, listen: ListenAddress | undefined): { readonly mcmp?: McmpListener } {
  const { mcmpAllow, mcmpAliases, mcmpAdvertise, controlCert, controlClientCa } = flags;
  const isAdvertised = mcmpAdvertise !== undefined && mcmpAdvertise !== false;
  if (listen === undefined) {
    if (mcmpAllow !== undefined) throw usage('--mcmp-allow needs --mcmp, the listener');
    if (mcmpAliases !== undefined) throw usage('--mcmp-aliases needs --mcmp, the listener');
    if (isAdvertised) throw usage('--mcmp-advertise needs --mcmp, the listener');
  }
  const parts = [
    ['--mcmp-advertise-interface', flags.mcmpAdvertiseInterface],
    ['--mcmp-advertise-key-file', flags.mcmpAdvertiseKeyFile],
  ] as const;
  for (const [name, value] of parts)
    if (value !== undefined && !isAdvertised) throw usage(`${name} needs --mcmp-advertise`);
  if (listen === undefined) return {};
  const allow = listed(mcmpAllow ?? []);
  rangesFlag(
    '--mcmp-allow',
    allow.map((entry) => entry.replace(/=[A-Za-z0-9._-]{1,64}$/, '')),
  );
  const asksClients = controlCert !== undefined && controlClientCa !== undefined;
  if (!isLoopbackHost(listen.host) && allow.length === 0 && !asksClients)
    throw usage(
      `--mcmp ${addressText(listen)}: every peer could register nodes; name their addresses with --mcmp-allow, or require client certificates with --control-client-ca`,
    );
  const hasAliases = flag(mcmpAliases ?? 'off', '--mcmp-aliases');
  return {
    mcmp: {
      listen,
      allow,
      ...(hasAliases && { hasAliases }),
      ...(isAdvertised && { advertise: advertiseFlags(flags, listen) }),
    },
  };
}

function advertiseFlags(flags: McmpFlags, listen: ListenAddress): NonNullable<McmpListener['advertise']> {
  const { mcmpAdvertise, mcmpAdvertiseInterface, mcmpAdvertiseKeyFile } = flags;
  const group =
    typeof mcmpAdvertise === 'string' && mcmpAdvertise !== ''
      ? parseListenAddress(mcmpAdvertise, '--mcmp-advertise', DEFAULT_GROUP.host)
      : DEFAULT_GROUP;
  if (!isMulticast(group.host) || group.port === 0)
    throw usage(
      `--mcmp-advertise ${addressText(group)}: the group is from 224.0.0.0 to 239.255.255.255, and its port from 1, like ${addressText(DEFAULT_GROUP)}`,
    );
  const address = reachableAddress(mcmpAdvertiseInterface, listen);
  return { group, address, ...(mcmpAdvertiseKeyFile !== undefined && { key: keyOf(mcmpAdvertiseKeyFile) }) };
}

/** The address that the datagrams name. Nodes could not reach a wildcard, nor a loopback address from another machine. */
function reachableAddress(named: string | undefined, listen: ListenAddress): string {
  const isWildcard = listen.host === '0.0.0.0' || listen.host === '::';
  const address = named ?? listen.host;
  const remedy = 'name an IPv4 address of this machine with --mcmp-advertise-interface';
  if (named !== undefined && !isIPv4(named))
    throw usage(`--mcmp-advertise-interface ${named.slice(0, 64)} is not an IPv4 address like 10.0.0.5`);
  if (isWildcard ? named === undefined || named === '0.0.0.0' : !isIPv4(address))
    throw usage(`--mcmp-advertise: nodes cannot connect to ${addressText(listen)}; ${remedy}`);
  if (isLoopbackHost(listen.host) && named !== listen.host)
    throw usage(
      `--mcmp-advertise: --mcmp ${addressText(listen)} listens for this machine only; let it listen on another address, or name ${listen.host} with --mcmp-advertise-interface for nodes of this machine`,
    );
  if (!isWildcard && address !== listen.host)
    throw usage(
      `--mcmp-advertise-interface ${address}: --mcmp listens on ${listen.host}, so nodes cannot connect to it`,
    );
  return address;
}

function keyOf(path: string): string {
  try {
    return readAjpSecret(path).secret;
  } catch (error) {
    throw usage(`--mcmp-advertise-key-file: ${(error as Error).message}`);
  }
}

function isMulticast(host: string): boolean {
  return isIPv4(host) && Number(host.split('.')[0]) >> 4 === 14;
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
