/** Tests the undocumented handles of Node on the loopback interface, so that another version makes the engine slower and not incorrect. */
import { once } from 'node:events';
import net from 'node:net';
import { DirectReads } from './direct-read.ts';
import { DirectWrites } from './direct-write.ts';
import { rewrapped, socketAround, takeHandles } from './shared-read.ts';
import { TextWriter } from './text-writer.ts';

/** Longest time of the test, milliseconds. */
const TRIAL_MS = 1_000;

/** Results of the test. */
export interface HandleTrial {
  /** Accepted sockets can be made to read into one buffer. */
  readonly canRewrap: boolean;
  /** A server passes handles instead of sockets. */
  readonly canTakeHandles: boolean;
  readonly reads: DirectReads | undefined;
  readonly direct: DirectWrites | undefined;
}

/** How the server of a test gets a socket. */
type Way = 'accept' | 'rewrap' | 'take';

/** Sends a request through a socket made around its handle, in both ways, and the answer directly to the handle. */
export async function tryHandles(): Promise<HandleTrial> {
  const direct = made(() => new DirectWrites());
  const reads = made(() => new DirectReads());
  const [canRewrap, canTakeHandles, canRead, canWrite] = [
    await answers('rewrap', {}),
    await answers('take', {}),
    reads !== undefined && (await answers('rewrap', { reads })),
    direct !== undefined && (await answers('accept', { direct })),
  ];
  return { canRewrap, canTakeHandles, reads: canRead ? reads : undefined, direct: canWrite ? direct : undefined };
}

function made<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

async function answers(
  way: Way,
  { reads, direct }: { readonly reads?: DirectReads; readonly direct?: DirectWrites },
): Promise<boolean> {
  const buffer = Buffer.alloc(16);
  let socket: net.Socket | undefined;
  const answer = (octets: Buffer): void => {
    if (socket === undefined) return;
    new TextWriter(socket, direct, () => {}).write(`<${octets.toString('latin1')}>`);
    socket.end();
  };
  const onRead = (bytes: number): void => answer(buffer.subarray(0, bytes));
  const keep = (made: net.Socket | undefined): void => {
    socket = made;
    socket?.on('error', () => socket?.destroy());
  };
  const server = net.createServer({ allowHalfOpen: true }, (accepted) => {
    if (way === 'take') accepted.destroy();
    else if (way === 'rewrap') keep(rewrapped(accepted, buffer, onRead, reads));
    else keep(accepted.on('data', answer));
  });
  server.listen(0, '127.0.0.1', () => {
    if (way === 'take') takeHandles(server, (handle) => keep(socketAround(handle, buffer, onRead, reads)));
  });
  const signal = AbortSignal.timeout(TRIAL_MS);
  let client: net.Socket | undefined;
  try {
    await once(server, 'listening', { signal });
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    client.end('ping');
    let answer = '';
    client.on('data', (octets: Buffer) => {
      answer += octets.toString('latin1');
    });
    await once(client, 'end', { signal });
    return answer === '<ping>';
  } catch {
    return false;
  } finally {
    client?.destroy();
    socket?.destroy();
    server.close();
  }
}
