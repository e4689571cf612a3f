/**
 * The proxy's listening socket, bound by the supervisor and handed to the worker. While the supervisor lives the
 * kernel keeps accepting connections into the backlog, so that a worker that dies leaves no refused connection: its
 * successor finds them waiting. The supervisor itself never accepts.
 */
import net from 'node:net';
import type { ListenAddress } from '../address.ts';
import { addressText } from '../address.ts';
import { CliFailure, EXIT } from '../exit.ts';

/** A bound socket that can go over IPC to a child, which passes it to `server.listen`. */
export interface BoundSocket {
  readonly address: ListenAddress;
  /** Node's own TCP handle: `subprocess.send` takes it as `sendHandle`. */
  readonly handle: NativeHandle;
  close(): void;
}

/** What we use of Node's TCP handle. */
interface NativeHandle {
  getsockname(out: { address?: string; port?: number }): number;
  close(): void;
}

/**
 * Node's `cluster` makes the sockets it shares (SCHED_NONE) with this function; there is no public way to bind without
 * also accepting. It returns an errno as a negative number when it fails.
 */
type CreateHandle = (
  address: string,
  port: number,
  family: 4 | 6,
  fd: number | undefined,
  flags: number,
) => NativeHandle | number;

/** Binds, or fails in one line. That the port is free has been seen before: see `freeAddress`. */
export function bindSocket({ host, port }: ListenAddress): BoundSocket {
  const create = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle;
  const family = net.isIPv6(host) ? 6 : 4;
  const handle = create(host === 'localhost' ? '127.0.0.1' : host, port, family, undefined, 0);
  if (typeof handle === 'number') throw bindFailure(handle, { host, port });
  const name: { port?: number } = {};
  handle.getsockname(name);
  return { address: { host, port: name.port ?? port }, handle, close: () => handle.close() };
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
