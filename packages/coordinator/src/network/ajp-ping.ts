/** Sends CPING of AJP/1.3 to the checked address of a node. CPONG counts as an answer with the status 200; nothing else is read. */
import { connect } from 'node:net';
import { AJP_CPING, isAjpPong, type ReadyAnswer } from '@rollcall/protocol';

/** The checked address to connect to, and the time limit of the answer, including the connect, milliseconds. */
export interface AjpPing {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/** Never rejects. An abort ends it like the time limit. */
export function pingAjpNode({ host, port, timeoutMs }: AjpPing, signal: AbortSignal): Promise<ReadyAnswer> {
  return new Promise((resolve) => {
    let isConnected = false;
    let received: Buffer = Buffer.alloc(0);
    const socket = connect({ host, port });
    const end = (answer: ReadyAnswer): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      socket.destroy();
      resolve(answer);
    };
    const giveUp = (): void => end({ type: isConnected ? 'silent' : 'unconnected' });
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener('abort', giveUp, { once: true });
    socket.once('connect', () => {
      isConnected = true;
      socket.write(AJP_CPING);
    });
    socket.on('data', (octets) => {
      received = Buffer.concat([received, octets]);
      const isPong = isAjpPong(received);
      if (isPong !== undefined) end({ type: 'answered', status: isPong ? 200 : 0 });
    });
    socket.once('end', () => end({ type: 'answered', status: 0 }));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (isConnected) end({ type: 'answered', status: 0 });
      else end({ type: code === 'ECONNREFUSED' || code === 'ECONNRESET' ? 'refused' : 'unconnected' });
    });
    if (signal.aborted) giveUp();
  });
}
