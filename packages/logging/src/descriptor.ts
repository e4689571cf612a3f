/**
 * Non-blocking writes, by the kind of file. A write blocks neither the event loop nor the exit of the process.
 *
 * Node joins the threads of its pool at exit, so a thread that is blocked in write(2) would block the exit. Therefore pipes,
 * terminals and sockets are written from the event loop with O_NONBLOCK, regular files from the pool.
 */
import fs from 'node:fs';

export interface Descriptor {
  /** Maximum size of one write, octets. */
  readonly maxOctets: number;
  /** Writes a prefix of `octets` and returns its length; 0: the reader is slow. Throws or rejects with the system error. */
  write(octets: Buffer): number | Promise<number>;
  /** The same, synchronously, for the exit of the process. `undefined` if that could block. */
  readonly writeNow?: (octets: Buffer) => number;
  close(): void;
}

/** Writes up to this many octets to a pipe are not mixed with those of other processes (PIPE_BUF on Linux). */
const PIPE_OCTETS = 4_096;
/** Less than the free space of any writable unix socket, so that a write to a socket is not split either. */
const SOCKET_OCTETS = 16_384;
const FILE_OCTETS = 131_072;
const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY } = fs.constants;
/** Codes of `open` on /proc/self/fd if the descriptor belongs to another user, or /proc is not mounted. */
const CANNOT_REOPEN: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'ENOENT']);

/** The libuv handle of a standard stream. `setBlocking` is undocumented and exists since Node 0.12. */
interface StreamHandle {
  setBlocking?(isBlocking: boolean): number;
}

/**
 * Opens standard output or standard error; `close` leaves the original descriptor open. `isInherited`: child programs write to
 * it too, so it stays blocking between two writes. Throws the system error if it cannot be opened now.
 */
export function openStandard(fd: 1 | 2, isInherited: boolean): Descriptor {
  const kind = fs.fstatSync(fd);
  if (kind.isFile()) return inThreads(fd, () => {});
  if (!kind.isFIFO() && !kind.isCharacterDevice()) return withoutWaiting(fd, isInherited);
  try {
    // A new open file description: O_NONBLOCK on the inherited one would apply to all processes that share it.
    const own = fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return nonBlocking(own, PIPE_OCTETS);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENXIO') throw Object.assign(new Error('no process reads it'), { code: 'EPIPE' });
    if (!CANNOT_REOPEN.has(code)) throw error;
    return withoutWaiting(fd, isInherited);
  }
}

/** Opens a file for appending and creates it with mode 0640 if absent. `path` may also name a device or a pipe. */
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
 * A descriptor that cannot be reopened: a socket, or a pipe of another user. All processes that share the description share
 * O_NONBLOCK, and Node clears it whenever one of them starts a child. Therefore it is set before each write.
 */
function withoutWaiting(fd: 1 | 2, isInherited: boolean): Descriptor {
  const stream = fd === 1 ? process.stdout : process.stderr;
  const { _handle: handle } = stream as unknown as { readonly _handle?: StreamHandle };
  if (stream.isTTY || handle?.setBlocking === undefined) {
    const { writeNow: _, ...inPool } = inThreads(fd, () => {});
    return inPool;
  }
  // Errors of other writers, such as process.stderr.write, must not end the process either.
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
