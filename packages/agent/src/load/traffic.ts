import type { Metric } from './metric.ts';
import { Rate } from './rate.ts';

/** As much of a socket as is counted. */
export interface CountedSocket {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  once(event: 'close', listener: () => void): unknown;
}

/** What came in over a server's connections and went out, in bytes since the start. */
export class Traffic {
  readonly #open = new Set<CountedSocket>();
  #closedRead = 0;
  #closedWritten = 0;

  /** Counts a connection from now on. */
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

/** Bytes per second in; only shown unless it is given a weight. */
export function receivedMetric(traffic: Traffic, nowMs: () => number): Metric {
  const rate = new Rate(() => traffic.received, nowMs);
  return { name: 'received', scale: { capacity: GIGABIT, weight: 0, unit: 'B/s' }, read: () => rate.sample() };
}

/** Bytes per second out; only shown unless it is given a weight. */
export function sentMetric(traffic: Traffic, nowMs: () => number): Metric {
  const rate = new Rate(() => traffic.sent, nowMs);
  return { name: 'sent', scale: { capacity: GIGABIT, weight: 0, unit: 'B/s' }, read: () => rate.sample() };
}
