/**
 * Where octets go, by the kind of file. A write never blocks the event loop, and a write at the end of the process never
 * blocks that end: a thread of Node's pool that is held in write(2) is waited for at exit, so pipes, terminals and sockets
 * are written to here without waiting, and regular files in the pool.
 */
import fs from 'node:fs';

export interface Descriptor {
  /** Most octets of one write. */
  readonly maxOctets: number;
  /** Writes what it can; 0: the reader is slow, try again later. Throws or rejects with the system's error. */
  write(octets: Buffer): number | Promise<number>;
  /** The same at the end of the process; absent where that could block. */
  readonly writeNow?: (octets: Buffer) => number;
  close(): void;
}

/** Writes up to this many octets to a pipe are not mixed with those of other processes (PIPE_BUF on Linux). */
const PIPE_OCTETS = 4_096;
/** Less than a unix socket has room for when it is writable at all, so that its pieces stay whole as well. */
const SOCKET_OCTETS = 16_384;
const FILE_OCTETS = 131_072;
const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY } = fs.constants;
/** The descriptor belongs to another user, or there is no /proc. */
const CANNOT_REOPEN: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'ENOENT']);

/** libuv's handle of a standard stream; `setBlocking` is undocumented, and there since Node 0.12. */
interface StreamHandle {
  setBlocking?(isBlocking: boolean): number;
}

/**
 * Standard output or standard error, which stay open. `isInherited`: programs that are not ours write to it too, and must
 * not find it non-blocking. Throws when it cannot be opened now.
 */
export function openStandard(fd: 1 | 2, isInherited: boolean): Descriptor {
  const kind = fs.fstatSync(fd);
  if (kind.isFile()) return inThreads(fd, () => {});
  if (!kind.isFIFO() && !kind.isCharacterDevice()) return withoutWaiting(fd, isInherited);
  try {
    // A description of our own: O_NONBLOCK of the one we got would be seen by all processes that share it.
    const own = fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return nonBlocking(own, PIPE_OCTETS);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENXIO') throw Object.assign(new Error('no process reads it'), { code: 'EPIPE' });
    if (!CANNOT_REOPEN.has(code)) throw error;
    return withoutWaiting(fd, isInherited);
  }
}

/** A file to append to, made with mode 0640 when it is not there; also a device or a pipe by its name. */
export async function openPath(path: string): Promise<Descriptor> {
  const fd = await new Promise<number>((resolve, reject) =>
    fs.open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o640, (error, opened) =>
      error ? reject(error) : resolve(opened),
    ),
  );
  return fs.fstatSync(fd).isFile() ? inThreads(fd, () => fs.close(fd)) : nonBlocking(fd, PIPE_OCTETS);
}

function inThreads(fd: number, close: () => void): Descriptor {
  return {
    maxOctets: FILE_OCTETS,
    write: (octets) =>
      new Promise((resolve, reject) =>
        fs.write(fd, octets, 0, octets.length, null, (error, count) => (error ? reject(error) : resolve(count))),
      ),
    writeNow: (octets) => fs.writeSync(fd, octets),
    close,
  };
}

function nonBlocking(fd: number, maxOctets: number): Descriptor {
  const write = (octets: Buffer): number => writeOrWait(fd, octets);
  return { maxOctets, write, writeNow: write, close: () => fs.closeSync(fd) };
}

/**
 * A socket, or a pipe of another user's: it cannot be opened again. O_NONBLOCK is set before each write, because it is a
 * flag of all processes that share the description, and Node clears it whenever one of them starts a child.
 */
function withoutWaiting(fd: 1 | 2, isInherited: boolean): Descriptor {
  const stream = fd === 1 ? process.stdout : process.stderr;
  const { _handle: handle } = stream as unknown as { readonly _handle?: StreamHandle };
  if (stream.isTTY || handle?.setBlocking === undefined) {
    const { writeNow: _, ...inPool } = inThreads(fd, () => {});
    return inPool;
  }
  // Writes of others than us, by way of the stream, must not end the process either.
  stream.off('error', onStrayError).on('error', onStrayError);
  if (isInherited) handle.setBlocking(true);
  const write = (octets: Buffer): number => {
    handle.setBlocking?.(false);
    try {
      return writeOrWait(fd, octets);
    } finally {
      if (isInherited) handle.setBlocking?.(true);
    }
  };
  return { maxOctets: SOCKET_OCTETS, write, writeNow: write, close: () => {} };
}

function onStrayError(): void {}

function writeOrWait(fd: number, octets: Buffer): number {
  try {
    return fs.writeSync(fd, octets);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}
