/**
 * Services that several parts of one engine use, in groups. The engine creates them. Each part states in its own file which of them it
 * uses: `TunnelServices`, `NodeConnectionServices`, `ExchangeServices`, `ClientServices`. All are the same object. No part changes it; the
 * fields that the engine changes are in its `EngineState`.
 */
import type { DeadlineSweep } from './deadline-sweep.ts';
import type { DirectReads } from './direct-read.ts';
import type { DirectWrites } from './direct-write.ts';
import type { EngineLimits } from './limits.ts';
import type { Outbox } from './outbox.ts';
import type { ReadBuffer } from './read-buffer.ts';

/** The part of a logger that the engine needs; pino implements it. */
export interface EngineLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** The clock, the sweep over deadlines, and the limits, most of which are times. */
export interface Timing {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly sweep: DeadlineSweep;
  readonly limits: EngineLimits;
}

/** How sockets are read and written. `reads` and `direct` are set when the engine starts. */
export interface SocketAccess {
  /** Shared buffer of plain connections; valid until the next read of any of them. */
  readonly readBuffer: ReadBuffer;
  /** Reports reads directly from a socket's handle; `undefined` if Node does not support it. */
  readonly reads: DirectReads | undefined;
  /** Writes texts directly to a socket's handle; `undefined` if Node does not support it. */
  readonly direct: DirectWrites | undefined;
  readonly outbox: Outbox;
}
