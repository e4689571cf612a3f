/**
 * Reading accepted sockets into one buffer. `net.connect` takes `onread`, `net.createServer` does not; but a socket made
 * around an accepted handle takes it as well, and a server can be made to give its handles instead of sockets, which
 * saves one socket for each connection. Both lean on how Node keeps its handles, so `tryHandles` tries them at the
 * start; where they do not work accepted sockets read as Node does it, with a buffer for every read.
 */
import net from 'node:net';
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
 * A socket with the handle of `accepted` that reads into `buffer` and says how many octets came; what is read is gone
 * with the next read. `accepted` is left without a handle and closed. `undefined` when it has no handle to give.
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

/** The same around a handle that no socket has yet. */
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

/** Has `server`, which has just begun to listen, give each handle to `take`. False where Node does not let us. */
export function takeHandles(server: net.Server, take: (handle: AcceptedHandle) => void): boolean {
  const handle = (server as WithListeningHandle)._handle;
  if (typeof handle?.onconnection !== 'function') return false;
  handle.onconnection = (status, accepted) => {
    if (status === 0 && accepted !== undefined) take(accepted);
  };
  return true;
}

/** The address of the other side; `undefined` when it has gone already. */
export function peerAddress(handle: AcceptedHandle): string | undefined {
  const out: { address?: string } = {};
  return handle.getpeername(out) === 0 ? out.address : undefined;
}
