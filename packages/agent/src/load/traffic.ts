import type { Metric } from './metric.ts';
import { Rate } from './rate.ts';

/** The part of a socket that is used for counting. */
export interface CountedSocket {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  once(event: 'close', listener: () => void): unknown;
}

/** Bytes received and sent on the connections of a server since the start. */
export class Traffic {
  readonly #open = new Set<CountedSocket>();
  #closedRead = 0;
  #closedWritten = 0;

  /** Starts to count a connection. */
  add(socket: CountedSocket): void {
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#closedRead += socket.bytesRead;
      this.#closedWritten += socket.bytesWritten;
    });
  }

  get received(): number {
    let bytes = this.#closedRead;
    for (const { bytesRead } of this.#open) bytes += bytesRead;
    return bytes;
  }

  get sent(): number {
    let bytes = this.#closedWritten;
    for (const { bytesWritten } of this.#open) bytes += bytesWritten;
    return bytes;
  }
}

/** A gigabit per second, in bytes. */
const GIGABIT = 125_000_000;

/** Bytes received per second. Weight 0 by default. */
export function receivedMetric(traffic: Traffic, nowMs: () => number): Metric {
  const rate = new Rate(() => traffic.received, nowMs);
  return { name: 'received', scale: { capacity: GIGABIT, weight: 0, unit: 'B/s' }, read: () => rate.sample() };
}

/** Bytes sent per second. Weight 0 by default. */
export function sentMetric(traffic: Traffic, nowMs: () => number): Metric {
  const rate = new Rate(() => traffic.sent, nowMs);
  return { name: 'sent', scale: { capacity: GIGABIT, weight: 0, unit: 'B/s' }, read: () => rate.sample() };
}
