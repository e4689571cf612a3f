/**
 * Reading accepted sockets into one buffer. `net.connect` takes `onread`, `net.createServer` does not; but a socket made
 * around an accepted handle takes it as well. That leans on how Node keeps its handles, so `tryHandles` tries it at the
 * start; where it does not work accepted sockets read as Node does it, with a buffer for every read.
 */
import net from 'node:net';

type WithHandle = net.Socket & { _handle?: unknown };

/**
 * A socket with the handle of `accepted` that reads into `buffer` and says how many octets came; what is read is gone
 * with the next read. `accepted` is left without a handle and closed. `undefined` when it has no handle to give.
 */
export function rewrapped(
  accepted: net.Socket,
  buffer: Buffer,
  onRead: (bytes: number) => void,
): net.Socket | undefined {
  const giver = accepted as WithHandle;
  const handle = giver._handle;
  if (handle === undefined || handle === null) return undefined;
  giver._handle = null;
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer,
      callback: (bytes: number) => {
        onRead(bytes);
        return true;
      },
    },
  };
  const socket = new net.Socket(options as net.SocketConstructorOpts);
  accepted.destroy();
  return socket;
}
