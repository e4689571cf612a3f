/**
 * The proxy's listening sockets, bound by the supervisor and handed to workers. While the supervisor lives, the kernel
 * accepts connections into their backlogs. So the death of a worker refuses no connection: its successor finds them in the
 * backlog. The supervisor itself does not accept on these sockets.
 */
import net from 'node:net';
import type { ListenAddress } from '../address.ts';
import { addressText } from '../address.ts';
import { CliFailure, EXIT } from '../exit.ts';

/** The used part of Node's internal TCP handle, which `subprocess.send` takes as `sendHandle`. */
export interface NativeHandle {
  getsockname(out: { address?: string; port?: number }): number;
  close(): void;
}

/** A bound socket that can be sent over IPC to a child, which passes it to `server.listen`. */
export interface BoundSocket {
  readonly address: ListenAddress;
  readonly handle: NativeHandle;
}

/**
 * Node's `cluster` creates its shared sockets (SCHED_NONE) with this function; there is no public API to bind without
 * accepting. It returns an errno as a negative number when it fails.
 */
type CreateHandle = (
  address: string,
  port: number,
  family: 4 | 6,
  fd: number | undefined,
  flags: number,
) => NativeHandle | number;

/** libuv's flag for SO_REUSEPORT, with which the kernel distributes connections over several sockets of one port. */
const UV_TCP_REUSEPORT = 2;

/** True if Node can bind several sockets to one port: from 22.12 on, on systems whose kernel distributes connections. */
export function canReusePort(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return process.platform === 'linux' && (major > 22 || (major === 22 && minor >= 12));
}

/** Binds `count` sockets to one address, or fails in one line. `freeAddress` has checked before that the port is free. */
export function bindSockets({ host, port }: ListenAddress, count: number): BoundSocket[] {
  const sockets: BoundSocket[] = [];
  let at = { host, port };
  while (sockets.length < count) {
    const socket = bindOne(at, count > 1 ? UV_TCP_REUSEPORT : 0);
    at = { ...socket.address };
    sockets.push(socket);
  }
  return sockets;
}

function bindOne({ host, port }: ListenAddress, flags: number): BoundSocket {
  const create = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle;
  const family = net.isIPv6(host) ? 6 : 4;
  const handle = create(host === 'localhost' ? '127.0.0.1' : host, port, family, undefined, flags);
  if (typeof handle === 'number') throw bindFailure(handle, { host, port });
  const name: { port?: number } = {};
  handle.getsockname(name);
  return { address: { host, port: name.port ?? port }, handle };
}

const EACCES = -13;

function bindFailure(errno: number, at: ListenAddress): CliFailure {
  if (errno === EACCES)
    return new CliFailure(
      `this user may not listen on port ${at.port}: choose one above 1023 with --proxy`,
      EXIT.failed,
    );
  return new CliFailure(
    `cannot listen on ${addressText(at)} (error ${-errno}): is the address one of this machine?`,
    EXIT.failed,
  );
}
