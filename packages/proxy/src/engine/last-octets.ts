/**
 * Octets that a node had sent before it closed. A node that answers early and closes while octets of the request are unread resets the
 * connection. The next write then fails, and Node destroys the socket with the octets that the kernel has received. Linux keeps them
 * readable after a reset, so they are read before the socket is destroyed. No octets can arrive after a reset, so one pass is complete.
 */
import { readSync } from 'node:fs';
import type net from 'node:net';

const READ_BYTES = 65_536;

/** The part of Node's handle of a socket that is used. */
interface Handle {
  readonly fd?: number;
  /** Only for TLS: processes octets as if they had been read, and passes the decrypted ones to `onread`. */
  receive?: (octets: Buffer) => void;
  onread?: (octets: unknown) => void;
}

type WithHandle = net.Socket & { readonly _handle?: Handle | null };

/** Makes `socket` pass received octets to `take` before a failed write destroys it. `take` may keep the octets. */
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

/** 0 if there is nothing more, for any reason. */
function readNow(fd: number, octets: Buffer): number {
  try {
    return readSync(fd, octets);
  } catch {
    return 0;
  }
}
