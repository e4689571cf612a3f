import net from 'node:net';

/** A client that writes and reads octets (latin1 text). */
export class RawClient {
  readonly socket: net.Socket;
  received = '';
  hasEnded = false;
  isClosed = false;
  #waiting: { readonly is: () => boolean; readonly go: () => void }[] = [];

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (octets) => {
      this.received += octets.toString('latin1');
      this.#look();
    });
    socket.on('end', () => {
      this.hasEnded = true;
      this.#look();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.#look();
    });
  }

  until(is: () => boolean): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ is, go });
      this.#look();
    });
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ is, go }) => {
      if (!is()) return true;
      go();
      return false;
    });
  }

  write(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Resolves when the received text contains `text`; with all of it if the connection ends before. */
  async sees(text: string): Promise<string> {
    await this.until(() => this.received.includes(text) || this.hasEnded || this.isClosed);
    return this.received;
  }

  /** The whole text, after the other side has ended or reset the connection. */
  async ended(): Promise<string> {
    await this.until(() => this.hasEnded || this.isClosed);
    return this.received;
  }

  async closed(): Promise<void> {
    await this.until(() => this.isClosed);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Connects to a port of this machine. */
export async function connectRawClient(port: number): Promise<RawClient> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', reject);
  });
  return new RawClient(socket);
}
