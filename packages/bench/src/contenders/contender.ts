/** A proxy in front of the two nodes that the benchmark measures. */
import type { Running, Workplace } from '../system/workplace.ts';

/** Functions of the proxy besides plain forwarding. */
export interface Front {
  /** Clients connect with TLS. */
  readonly isTls: boolean;
  /** The proxy writes an access log to a file. */
  readonly logsAccess: boolean;
}

export const PLAIN_FRONT: Front = { isTls: false, logsAccess: false };

/** Paths of PEM files. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** Certificate and key in one file. */
  readonly bothFile: string;
}

export interface StartRequest {
  readonly workplace: Workplace;
  /** A new empty directory for the contender, readable by all users. */
  readonly directory: string;
  readonly port: number;
  /** Ports of the nodes. Rollcall may start without nodes. */
  readonly nodes: readonly number[];
  readonly cpus: readonly number[];
  readonly front: Front;
  /** Present if the front uses TLS. */
  readonly certificate: Certificate | undefined;
}

export interface Contender {
  /** Name in `--only` and in tables. */
  readonly name: string;
  /** Instruction to install it. */
  readonly remedy: string;
  /** Installed version; `undefined` if not installed. */
  version(): string | undefined;
  can(front: Front): boolean;
  /** Starts it. It may not answer yet when the promise resolves. */
  start(request: StartRequest): Promise<Running>;
}
