/** Tries, on the loopback, what we do with Node's own handles, so that another Node makes us slower and not wrong. */
import { once } from 'node:events';
import net from 'node:net';
import { DirectWrites, TextWriter } from './direct-write.ts';
import { rewrapped } from './shared-read.ts';

/** How long the trial may take, milliseconds. */
const TRIAL_MS = 1_000;

/** What has worked. */
export interface HandleTrial {
  /** Accepted sockets can be made to read into one buffer. */
  readonly canRewrap: boolean;
  readonly direct: DirectWrites | undefined;
}

/** Sends a question through a socket made anew around its handle, and the answer straight to the handle. */
export async function tryHandles(): Promise<HandleTrial> {
  const direct = directWrites();
  const works = { canRewrap: await answers(true, undefined), direct: await answers(false, direct) };
  return { canRewrap: works.canRewrap, direct: works.direct ? direct : undefined };
}

function directWrites(): DirectWrites | undefined {
  try {
    return new DirectWrites();
  } catch {
    return undefined;
  }
}

async function answers(isRewrapped: boolean, direct: DirectWrites | undefined): Promise<boolean> {
  const buffer = Buffer.alloc(16);
  const server = net.createServer({ allowHalfOpen: true }, (accepted) => {
    const answer = (octets: Buffer): void => {
      new TextWriter(socket, direct, () => {}).write(`<${octets.toString('latin1')}>`);
      socket.end();
    };
    const other = isRewrapped ? rewrapped(accepted, buffer, (bytes) => answer(buffer.subarray(0, bytes))) : undefined;
    const socket = other ?? accepted;
    if (!isRewrapped) socket.on('data', answer);
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
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
    server.close();
  }
}
