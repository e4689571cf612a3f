import type { Config } from '../config.ts';
import { isLoopbackHost } from './addresses.ts';

/** Warnings about ports that receive tokens in clear text: beyond loopback, without TLS here or in a proxy in front. */
export function clearTextAdvice({
  listen,
  agentsListen,
  tls,
  controlTrustedProxies,
}: Pick<Config, 'listen' | 'agentsListen' | 'tls' | 'controlTrustedProxies'>): readonly string[] {
  if (tls !== undefined || controlTrustedProxies.length > 0) return [];
  const open = [listen, agentsListen].filter((address) => address !== undefined && !isLoopbackHost(address.host));
  if (open.length === 0) return [];
  const places = open.map((address) => `${address?.host}:${address?.port}`).join(' and ');
  return [
    `Tokens pass in clear text on ${places}: start with --control-cert and --control-key, or name the TLS proxy in front with --control-trusted-proxy.`,
  ];
}
