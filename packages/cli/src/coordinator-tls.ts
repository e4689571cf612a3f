/** CA and client certificate of a command's connections to a coordinator. */
import {
  type ClientTls,
  type ClientTlsFiles,
  type CoordinatorList,
  clientTlsFiles,
  readClientTls,
} from '@rollcall/agent';
import { type Command, Option } from 'commander';
import { keptControlCertificate } from './control-certificate.ts';
import { CliFailure, EXIT } from './exit.ts';
import { stateDirectoryOf } from './state-directory.ts';

/** Flags of every command that connects to a coordinator. */
export interface ClientTlsFlags {
  readonly ca?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

/** Address of one coordinator and its TLS files. */
export interface Place {
  readonly url: string;
  readonly files: ClientTlsFiles;
}

/** Coordinators of an agent, with their TLS options. */
export interface AgentPlaces {
  readonly coordinators: readonly string[];
  readonly areAlternatives: boolean;
  readonly tls: (url: string) => ClientTls;
}

export function addClientTlsFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--ca <file>', 'CA certificates (PEM) for https and wss to the coordinator (default: ROLLCALL_CA)'),
    )
    .addOption(
      new Option(
        '--client-cert <file>',
        'client certificate (PEM) for the coordinator (default: ROLLCALL_CLIENT_CERT)',
      ),
    )
    .addOption(new Option('--client-key <file>', 'private key (PEM) of --client-cert (default: ROLLCALL_CLIENT_KEY)'));
}

/**
 * `url` (`http`, `https`, `ws` or `wss`) with its TLS files. A `rollcall up` with TLS of the same user on this machine has its
 * certificate in its state directory. In this case the scheme becomes `https` or `wss`, and this certificate is trusted.
 */
export function placeOf(
  url: string,
  flags: ClientTlsFlags & { readonly stateDir?: string },
  environment: NodeJS.ProcessEnv,
): Place {
  const files = clientTlsFiles(
    {
      ...(flags.ca === undefined ? {} : { ca: flags.ca }),
      ...(flags.clientCert === undefined ? {} : { cert: flags.clientCert }),
      ...(flags.clientKey === undefined ? {} : { key: flags.clientKey }),
    },
    environment,
  );
  const kept = keptCertificateOf(url, flags.stateDir, environment);
  if (kept === undefined) return { url, files };
  return { url: url.replace(/^(http|ws):/, '$1s:'), files: { ca: kept, ...files } };
}

function keptCertificateOf(
  url: string,
  stateDir: string | undefined,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  // A given directory may belong to a coordinator on another machine; its certificate is not used for this machine.
  const directory = stateDirectoryOf(url, undefined, environment) && stateDirectoryOf(url, stateDir, environment);
  return directory && keptControlCertificate(directory);
}

/** The current content of the files, for an address with TLS. Fails with one line that names the file. */
export function clientTlsOf({ url, files }: Place): ClientTls {
  if (!/^(?:https|wss):/.test(url)) return { hasCertificate: false };
  const tls = readClientTls(files);
  if (tls.problem !== undefined) throw new CliFailure(tls.problem, EXIT.usage);
  return tls;
}

/** Addresses of agent connections, and a function that reads the TLS files of an address. */
export function agentPlaces(
  { urls, areAlternatives }: Pick<CoordinatorList, 'urls' | 'areAlternatives'>,
  flags: ClientTlsFlags,
  environment: NodeJS.ProcessEnv,
): AgentPlaces {
  const places = new Map(urls.map((url) => placeOf(url, flags, environment)).map((place) => [place.url, place]));
  // Wrong flags are reported before the program starts.
  for (const place of places.values()) clientTlsOf(place);
  const { files: common } = placeOf('wss://elsewhere.invalid:1', flags, environment);
  return {
    coordinators: [...places.keys()],
    areAlternatives,
    tls: (url) => readClientTls(places.get(url)?.files ?? common),
  };
}
