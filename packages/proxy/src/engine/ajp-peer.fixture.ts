import { type Forwarded, readForwardRequest } from '../testing/ajp-node.ts';
import type { RawNodeConnection } from './raw-node.fixture.ts';

/** One connection at a node that speaks AJP: reads the packets of the proxy one after the other. */
export class AjpPeer {
  readonly #connection: RawNodeConnection;
  #at = 0;

  constructor(connection: RawNodeConnection) {
    this.#connection = connection;
  }

  /** True if octets have arrived that were not read. */
  get hasMore(): boolean {
    return this.#connection.received.length > this.#at;
  }

  /** The next packet with its header. */
  async packet(): Promise<Buffer> {
    const connection = this.#connection;
    const length = (): number =>
      Buffer.from(connection.received.slice(this.#at, this.#at + 4), 'latin1').readUInt16BE(2);
    const has = (bytes: number): boolean => connection.received.length >= this.#at + bytes;
    await connection.until(() => has(4) && has(4 + length()));
    const end = this.#at + 4 + length();
    const packet = Buffer.from(connection.received.slice(this.#at, end), 'latin1');
    this.#at = end;
    return packet;
  }

  async request(): Promise<Forwarded> {
    return readForwardRequest(await this.packet());
  }

  /** The octets of the next body packet; `''` for its end. */
  async body(): Promise<string> {
    const packet = await this.packet();
    if (packet.length === 4) return '';
    const length = packet.readUInt16BE(4);
    if (length !== packet.length - 6) throw new Error(`${length} octets in a packet of ${packet.length}`);
    return packet.toString('latin1', 6);
  }

  send(...packets: readonly Buffer[]): void {
    this.#connection.socket.write(Buffer.concat(packets));
  }

  /** Resolves when the proxy has closed the connection. */
  closed(): Promise<void> {
    return this.#connection.closed();
  }

  reset(): void {
    this.#connection.socket.resetAndDestroy();
  }

  end(): void {
    this.#connection.socket.end();
  }
}
