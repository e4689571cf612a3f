import { networkInterfaces } from 'node:os';
import type { AddressFacts } from './announced-address.ts';

/** Addresses of this machine; empty if they cannot be read, as in some sandboxes. */
export function ownAddresses(): AddressFacts['interfaces'] {
  try {
    return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  } catch {
    return [];
  }
}

/** The port in the address of a node; `undefined` for an invalid address. */
export function portOf(url: string): number | undefined {
  if (!URL.canParse(url)) return undefined;
  const { port, protocol } = new URL(url);
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
