/** The record of a stateful program: the requests that it received, and their progress. Survives `kill -9`. */
import { openSync, writeSync } from 'node:fs';
import { nowMs } from '../instant.ts';
import type { NodeLine } from '../ledger.ts';

/** The request field that carries the client's id of a request. */
export const LEDGER_FIELD = 'x-ledger-id';

/** The response field that names the process which answered. Answers of the proxy itself lack it. */
export const INSTANCE_FIELD = 'x-instance';

export class NodeLedger {
  /** This process, as its answers name it. */
  readonly instance: string;
  readonly #file: number;

  /** Appends to the file named by `NODE_LEDGER`. */
  constructor(node: string) {
    this.instance = `${node}#${process.pid}`;
    this.#file = openSync(process.env['NODE_LEDGER'] ?? '/dev/null', 'a');
  }

  /** Writes before it returns: what a killed process had begun is known. */
  write(id: string, event: NodeLine['event']): void {
    const line: NodeLine = { instance: this.instance, id, event, atMs: nowMs() };
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

/** Reports the port of the program to the test: one line on stdout. */
export function announce(instance: string, port: number): void {
  process.stdout.write(`${JSON.stringify({ listening: { instance, pid: process.pid, port } })}\n`);
}
