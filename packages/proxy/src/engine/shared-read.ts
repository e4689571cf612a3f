/**
 * Reads accepted sockets into one buffer. `net.connect` takes `onread`, `net.createServer` does not. A socket made around an accepted
 * handle takes it as well. A server can pass its handles instead of sockets, which saves one socket for each connection. Both use
 * undocumented parts of Node, so `tryHandles` tests them at the start. If they fail, accepted sockets read in the normal way, with a
 * buffer for every read.
 */
import net from 'node:net';
import type tls from 'node:tls';
import type { DirectReads } from './direct-read.ts';

/** Node's own handle of an accepted connection. */
export interface AcceptedHandle {
  getpeername(out: { address?: string }): number;
  close(): void;
}

type WithHandle = net.Socket & { _handle?: unknown };

interface ListeningHandle {
  onconnection?: (status: number, handle: AcceptedHandle | undefined) => void;
}

type WithListeningHandle = net.Server & { readonly _handle?: ListeningHandle | null };

/**
 * A socket with the handle of `accepted` that reads into `buffer` and reports the number of octets. The next read overwrites them.
 * `accepted` is left without a handle and closed. `undefined` if `accepted` has no handle.
 */
export function rewrapped(
  accepted: net.Socket,
  buffer: Buffer,
  onRead: (bytes: number) => void,
  reads: DirectReads | undefined,
): net.Socket | undefined {
  const giver = accepted as WithHandle;
  const handle = giver._handle;
  if (handle === undefined || handle === null) return undefined;
  giver._handle = null;
  const socket = socketAround(handle, buffer, onRead, reads);
  accepted.destroy();
  return socket;
}

/** The same around a handle without a socket. */
export function socketAround(
  handle: unknown,
  buffer: Buffer,
  onRead: (bytes: number) => void,
  reads: DirectReads | undefined,
): net.Socket {
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer,
      callback: (bytes: number) => {
        onRead(bytes);
        return true;
      },
    },
  };
  const socket = new net.Socket(options as net.SocketConstructorOpts);
  reads?.attach(socket, onRead);
  return socket;
}

/**
 * The socket of an accepted connection that reads into `buffer`. `undefined` if `accepted` itself has to be used, which then reads into
 * buffers of its own.
 */
export function sharedSocket(
  accepted: net.Socket | tls.TLSSocket | AcceptedHandle,
  buffer: Buffer,
  onRead: (bytes: number) => void,
  { canRewrap, reads }: { readonly canRewrap: boolean; readonly reads: DirectReads | undefined },
): net.Socket | undefined {
  if (!('remoteAddress' in accepted)) return socketAround(accepted, buffer, onRead, reads);
  return canRewrap && !('encrypted' in accepted) ? rewrapped(accepted, buffer, onRead, reads) : undefined;
}

/** Makes `server`, which has just begun to listen, pass each handle to `take`. False if this version of Node does not support it. */
export function takeHandles(server: net.Server, take: (handle: AcceptedHandle) => void): boolean {
  const handle = (server as WithListeningHandle)._handle;
  if (typeof handle?.onconnection !== 'function') return false;
  handle.onconnection = (status, accepted) => {
    if (status === 0 && accepted !== undefined) take(accepted);
  };
  return true;
}

/** The address of the other side; `undefined` if it has closed already. */
export function peerAddress(handle: AcceptedHandle): string | undefined {
  const out: { address?: string } = {};
  return handle.getpeername(out) === 0 ? out.address : undefined;
}
