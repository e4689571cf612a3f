import net from 'node:net';
import tls from 'node:tls';

/** Read buffer of all connections of a process. Each read is processed completely before the next. */
const SHARED_BUFFER = Buffer.allocUnsafe(65_536);

export interface ConnectionListener {
  onOpen?(): void;
  /** `octets` are valid until it returns. */
  onOctets(octets: Buffer): void;
  /** Called once at the end of the connection, with or without an error. */
  onClose(why: string): void;
}

/** Destination port and source address of a connection on the loopback interface. */
export interface Way {
  readonly port: number;
  readonly from: string;
  readonly isTls: boolean;
}

/** Opens a connection to a port of the loopback interface. Data written before it is open is sent afterwards. */
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
  // The peer has ended its side, so no further response will arrive.
  socket.on('end', () => socket.destroy());
  socket.on('close', () => listener.onClose(why));
  return socket;
}
