import { CliFailure, EXIT } from './exit.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[v6]:port`, `:port` or `port`. Port 0 means any free one. Throws a usage failure naming `flag`. */
export function parseListenAddress(text: string, flag: string, defaultHost: string): ListenAddress {
  const match = /^(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):)?([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535)
    throw new CliFailure(`${flag} ${text} is not HOST:PORT, e.g. ${defaultHost}:8080`, EXIT.usage);
  const host = match[1] ?? '';
  return { host: host === '' ? defaultHost : host.replace(/^\[|\]$/g, ''), port };
}

/** `host:port` with brackets around IPv6. */
export function addressText({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An address that somebody on this machine can connect to, as URL. */
export function localUrl({ host, port }: ListenAddress): string {
  return `http://${addressText({ host: host === '0.0.0.0' || host === '::' ? 'localhost' : host, port })}`;
}
