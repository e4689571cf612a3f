/**
 * The address of this machine that a node announces to several coordinators. All of them must get the same address. It is the
 * local address towards the first configured coordinator that is not on loopback, also for the connections to the others.
 */
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import type { Addresses } from './addresses.ts';
import { isLoopback, plainAddress } from './announced-address.ts';
import { hostOf, nameOf } from './coordinator-url.ts';
import type { Timers } from './timers.ts';

/** Time limit for the look-ups, in milliseconds. */
export const LOCAL_ADDRESS_TIMEOUT_MS = 1_000;
/** A connected UDP socket has a local address. Nothing is sent, so the port has no effect. */
const ANY_PORT = 9;

/** Local address of a route to `remote`, an IP address; `undefined` without a route. */
export type RouteLookUp = (remote: string) => Promise<string | undefined>;

/** Never rejects. Does not keep the process alive. */
export const systemRoute: RouteLookUp = (remote) =>
  new Promise((resolve) => {
    const socket = createSocket(isIP(remote) === 6 ? 'udp6' : 'udp4');
    const finish = (address: string | undefined) => {
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.close();
      resolve(address);
    };
    socket.unref();
    socket.once('error', () => finish(undefined));
    socket.once('connect', () => finish(plainAddress(socket.address().address)));
    socket.connect(ANY_PORT, remote);
  });

/**
 * The local address towards the first of `urls` that is not on loopback, within 1 s. `undefined` if all are on loopback, or if
 * there is no route. Never rejects.
 */
export function localAddressFor(
  urls: readonly string[],
  addresses: Addresses,
  route: RouteLookUp,
  timers: Timers,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const cancel = timers.after(LOCAL_ADDRESS_TIMEOUT_MS, () => resolve(undefined));
    const finish = (address: string | undefined) => {
      cancel();
      resolve(address);
    };
    firstRoute(urls, addresses, route).then(finish, () => finish(undefined));
  });
}

async function firstRoute(
  urls: readonly string[],
  addresses: Addresses,
  route: RouteLookUp,
): Promise<string | undefined> {
  for (const url of urls.filter((each) => !isOnLoopback(each))) {
    const name = nameOf(url);
    const found = name === undefined ? { addresses: [hostOf(url)] } : await addresses.of(name);
    const remote = 'addresses' in found ? found.addresses.find((address) => !isLoopback(address)) : undefined;
    const local = remote === undefined ? undefined : await route(remote);
    if (local !== undefined && local !== '') return local;
  }
  return undefined;
}

/** Whether `url` names a loopback address, without a look-up. */
export function isOnLoopback(url: string): boolean {
  const host = hostOf(url);
  return host === '' || host === 'localhost' || host.endsWith('.localhost') || isLoopback(host);
}
