/** Origin of a request: the peer of its connection, or the client that a trusted proxy in front of the control port reports. */
import type { IncomingMessage, Server } from 'node:http';
import { type CidrList, type IpAddress, isLoopback, parseIp } from './addresses.ts';

interface Reported {
  readonly address: IpAddress | undefined;
  readonly isSecure: boolean;
}

/** Origins of requests through a trusted proxy. */
const reports = new WeakMap<IncomingMessage, Reported>();

/** Reads the fields of proxies in `trusted` (`--control-trusted-proxy`) before any other code handles a request of `server`. */
export function believeProxies(server: Server, trusted: CidrList): void {
  const note = (request: IncomingMessage): void => {
    if (trusted.has(endOf(request))) reports.set(request, reportOf(request, trusted));
  };
  server.prependListener('request', note);
  server.prependListener('upgrade', note);
}

/** Address of the client; `undefined` if the socket is gone, or a trusted proxy reports an invalid address. */
export function peerOf(request: IncomingMessage): IpAddress | undefined {
  const reported = reports.get(request);
  return reported ? reported.address : endOf(request);
}

/** True when the client speaks TLS: to this port, or to a trusted proxy in front of it. */
export function isSecure(request: IncomingMessage): boolean {
  return 'encrypted' in request.socket || reports.get(request)?.isSecure === true;
}

function endOf({ socket }: IncomingMessage): IpAddress | undefined {
  return parseIp(socket.remoteAddress ?? '');
}

function reportOf(request: IncomingMessage, trusted: CidrList): Reported {
  const proto = [request.headers['x-forwarded-proto'] ?? ''].flat().join(',').split(',').at(-1) ?? '';
  return { address: clientOf(request, trusted), isSecure: proto.trim().toLowerCase() === 'https' };
}

/**
 * The last address of `X-Forwarded-For` that is not that of a trusted proxy. The client itself may have written the entries
 * before it. A loopback address counts only if the proxy is on this machine; otherwise it belongs to the machine of the proxy.
 */
function clientOf(request: IncomingMessage, trusted: CidrList): IpAddress | undefined {
  const end = endOf(request);
  let client = end;
  const chain = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  for (const text of chain.reverse()) {
    if (text.trim() === '') continue;
    const address = parseIp(withoutPort(text.trim()));
    if (isLoopback(address) && !isLoopback(end)) return client;
    client = address;
    if (!trusted.has(client)) return client;
  }
  return client;
}

/** Some proxies add the port: `192.0.2.1:40000` or `[2001:db8::1]:40000`. */
function withoutPort(text: string): string {
  return /^(\[[^\]]+\]|[\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
}
