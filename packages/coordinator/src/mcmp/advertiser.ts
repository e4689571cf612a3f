/** Sends the datagrams by which nodes of mod_cluster find the MCMP listener: one at once, then one each 10 s, and two at the end. */
import { createHash, randomUUID } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { type AdvertisedState, datagram, saltOf } from '@rollcall/mcmp';
import type { Clocks } from '../clocks.ts';
import type { AdvertiseOptions } from './mcmp-options.ts';

export interface AdvertiserDependencies {
  readonly clocks: Pick<Clocks, 'nowUnixMs'>;
  readonly log: { warn(text: string): void };
  /** Port of the MCMP listener. */
  readonly port: number;
  readonly isTls: boolean;
}

const INTERVAL_MS = 10_000;
/** Routers that a datagram may pass, as in mod_advertise. */
const TTL = 10;

export interface Advertiser {
  /** Advertises the end. */
  close(): Promise<void>;
}

/** Rejects when `address` is none of this machine. A group that cannot be reached later is in the log once. */
export async function startAdvertiser(
  { group, address, key }: AdvertiseOptions,
  { clocks, log, port, isTls }: AdvertiserDependencies,
): Promise<Advertiser> {
  const socket = await socketOn(address);
  const salt = saltOf(key, md5);
  const server = randomUUID();
  const protocol = isTls ? 'https' : 'http';
  const manager = { address: `${address}:${port}`, protocol, host: hostname() } as const;
  let sequence = 0;
  let problem: string | undefined;
  const send = (state: AdvertisedState): Promise<void> => {
    const date = new Date(clocks.nowUnixMs()).toUTCString();
    sequence += 1;
    const text = datagram({ state, date, sequence, server, manager }, salt, md5);
    return new Promise((resolve) => {
      socket.send(text, group.port, group.host, (error) => {
        if (error && error.message !== problem)
          log.warn(
            `cannot advertise the MCMP listener to ${group.host}:${group.port} (${error.message}); retrying every ${INTERVAL_MS / 1_000} s`,
          );
        problem = error?.message;
        resolve();
      });
    });
  };
  socket.on('error', (error) => log.warn(`advertisement of the MCMP listener: ${error.message}`));
  const timer = setInterval(() => void send(200), INTERVAL_MS);
  await send(200);
  return {
    close: async () => {
      clearInterval(timer);
      await send(403);
      await send(410);
      socket.close();
    },
  };
}

async function socketOn(address: string): Promise<Socket> {
  const socket = createSocket('udp4');
  try {
    socket.bind({ port: 0, address });
    await once(socket, 'listening');
    socket.setMulticastInterface(address);
    socket.setMulticastTTL(TTL);
    return socket;
  } catch (error) {
    socket.close();
    const cause = (error as NodeJS.ErrnoException).code;
    throw new Error(`cannot advertise the MCMP listener from ${address} (${cause}); name an address of this machine`);
  }
}

function md5(octets: Uint8Array): Uint8Array {
  return createHash('md5').update(octets).digest();
}
