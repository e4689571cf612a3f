/** Whatever proxies the two nodes and is measured doing so. */
import type { Running, Workplace } from '../system/workplace.ts';

/** What is in front of the nodes besides plain forwarding. */
export interface Front {
  /** Clients speak TLS. */
  readonly isTls: boolean;
  /** Each request is written to a file. */
  readonly logsAccess: boolean;
}

export const PLAIN_FRONT: Front = { isTls: false, logsAccess: false };

/** Files in PEM. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Both in one file. */
  readonly bothFile: string;
}

export interface StartRequest {
  readonly workplace: Workplace;
  /** A new directory of its own, which others may read. */
  readonly directory: string;
  readonly port: number;
  /** Ports of the nodes; ours may begin with none. */
  readonly nodes: readonly number[];
  readonly cpus: readonly number[];
  readonly front: Front;
  /** There when the front speaks TLS. */
  readonly certificate: Certificate | undefined;
}

export interface Contender {
  /** As in `--only` and in tables. */
  readonly name: string;
  /** What makes it available, as a sentence. */
  readonly remedy: string;
  /** Its version; `undefined` when it is not installed. */
  version(): string | undefined;
  can(front: Front): boolean;
  /** Starts it. It need not answer yet when this resolves, but will without further help. */
  start(request: StartRequest): Promise<Running>;
}
