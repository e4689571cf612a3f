/**
 * What a node had sent before it closed. A node that answers early and closes while octets of the request are unread
 * resets the connection. The next write then fails, and Node destroys the socket together with what the kernel has
 * received for it. Linux keeps these octets readable after a reset, so they are read before the socket is destroyed.
 * Nothing can come after a reset: one pass until the end is all there is.
 */
import { readSync } from 'node:fs';
import type net from 'node:net';

const READ_BYTES = 65_536;

/** What we use of Node's handle of a socket. */
interface Handle {
  readonly fd?: number;
  /** Of TLS only: takes octets as if they had been read, and passes what they mean to `onread`. */
  receive?: (octets: Buffer) => void;
  onread?: (octets: unknown) => void;
}

type WithHandle = net.Socket & { readonly _handle?: Handle | null };

/** Has `socket` pass what it has received to `take` when a failed write is about to destroy it. `take` may keep the octets. */
export function readBeforeDestroy(socket: net.Socket, take: (octets: Buffer) => void): void {
  const destroy = socket._destroy;
  socket._destroy = (error, callback) => {
    if ((error as NodeJS.ErrnoException | null)?.syscall === 'write') readLast(socket, take);
    destroy.call(socket, error, callback);
  };
}

function readLast(socket: WithHandle, take: (octets: Buffer) => void): void {
  const handle = socket._handle;
  const fd = handle?.fd ?? -1;
  if (!handle || fd < 0) return;
  const { receive } = handle;
  if (receive !== undefined) {
    handle.onread = (octets) => {
      if (octets instanceof ArrayBuffer) take(Buffer.from(octets));
    };
  }
  for (;;) {
    const octets = Buffer.allocUnsafe(READ_BYTES);
    const bytes = readNow(fd, octets);
    if (bytes === 0) return;
    if (receive === undefined) take(octets.subarray(0, bytes));
    else receive.call(handle, octets.subarray(0, bytes));
  }
}

/** 0 when there is nothing more, whatever the reason. */
function readNow(fd: number, octets: Buffer): number {
  try {
    return readSync(fd, octets);
  } catch {
    return 0;
  }
}
