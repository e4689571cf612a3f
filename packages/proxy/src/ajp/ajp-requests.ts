/** What all requests over AJP of one proxy have in common. */
import { type ForwardRequest, ForwardRequestEncoder } from './forward-request.ts';
import { maxBodyBytes } from './packets.ts';

export interface AjpOptions {
  /** The secret that nodes require; `undefined` for none. Called for each request: the file may change. */
  readonly secret?: () => string | undefined;
}

export class AjpRequests {
  /** Largest number of body octets in one packet. */
  readonly maxBodyBytes: number;
  /** Nodes that answered 403 and closed the connection: their secret may be another one. */
  readonly refusedBy: WeakSet<object> = new WeakSet();
  readonly #encoder: ForwardRequestEncoder;
  readonly #secret: () => string | undefined;

  /** `packetBytes`: largest packet, with its header; Tomcat's `packetSize`. */
  constructor(packetBytes: number, { secret = () => undefined }: AjpOptions = {}) {
    this.maxBodyBytes = maxBodyBytes(packetBytes);
    this.#encoder = new ForwardRequestEncoder(packetBytes);
    this.#secret = secret;
  }

  /** FORWARD_REQUEST; `undefined` if it does not fit into a packet. */
  encode(request: Omit<ForwardRequest, 'secret'>): Buffer | undefined {
    return this.#encoder.encode({ ...request, secret: this.#secret() });
  }
}
