import net from 'node:net';
import tls from 'node:tls';

/** All connections of a process read into this: each read is looked at to its end before the next. */
const SHARED_BUFFER = Buffer.allocUnsafe(65_536);

export interface ConnectionListener {
  onOpen?(): void;
  /** `octets` are valid until it returns. */
  onOctets(octets: Buffer): void;
  /** Once, however it ended. */
  onClose(why: string): void;
}

/** Where a connection goes, and from which address of the loopback. */
export interface Way {
  readonly port: number;
  readonly from: string;
  readonly isTls: boolean;
}

/** Opens a connection to a port of the loopback. What is written before it is open leaves when it is. */
export function connect({ port, from, isTls }: Way, listener: ConnectionListener): net.Socket {
  const to = { port, host: '127.0.0.1', localAddress: from };
  const socket = isTls
    ? tls.connect({ ...to, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
    : net.connect({
        ...to,
        noDelay: true,
        onread: {
          buffer: SHARED_BUFFER,
          callback: (length, octets) => {
            listener.onOctets((octets as Buffer).subarray(0, length));
            return true;
          },
        },
      });
  if (isTls) {
    socket.setNoDelay(true);
    socket.on('data', (octets) => listener.onOctets(octets));
  }
  if (listener.onOpen) socket.once(isTls ? 'secureConnect' : 'connect', () => listener.onOpen?.());
  let why = 'the connection was closed';
  socket.on('error', (error: NodeJS.ErrnoException) => {
    why = error.code ?? error.message;
  });
  // The other side has finished: nothing more will come, and nothing we could send would be answered.
  socket.on('end', () => socket.destroy());
  socket.on('close', () => listener.onClose(why));
  return socket;
}
