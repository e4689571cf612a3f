import { isIP } from 'node:net';
import { printableUrl } from '@rollcall/protocol';
import { CliFailure, EXIT } from './exit.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[v6]:port`, `:port` or `port`. Port 0 means any free port. Throws a usage failure naming `flag`. */
export function parseListenAddress(text: string, flag: string, defaultHost: string): ListenAddress {
  const match = /^(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):)?([0-9]+)$/.exec(text);
  const port = Number(match?.[2]);
  if (!match)
    throw new CliFailure(`${flag} ${printableUrl(text)} is not HOST:PORT, e.g. ${defaultHost}:8080`, EXIT.usage);
  if (port > 65_535) throw new CliFailure(`${flag} ${text}: the port must be 0 or 1–65535`, EXIT.usage);
  const host = match[1] ?? '';
  return { host: host === '' ? defaultHost : host.replace(/^\[|\]$/g, ''), port };
}

/** `host:port` with brackets around IPv6. */
export function addressText({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An address that processes on this machine can connect to, as URL. */
export function localUrl({ host, port }: ListenAddress, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${addressText({ host: host === '0.0.0.0' || host === '::' ? 'localhost' : host, port })}`;
}

/** Whether two listeners conflict: the same port, and the same address or one of them on all addresses. */
export function overlap(one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  const isAll = ({ host }: ListenAddress): boolean => host === '0.0.0.0' || host === '::';
  return one.host === other.host || isAll(one) || isAll(other);
}

/** An address, or a CIDR range like `10.0.0.0/8`. */
export function isAddressRange(text: string): boolean {
  const [, address = '', prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(prefix ?? 0) <= (family === 6 ? 128 : 32);
}
