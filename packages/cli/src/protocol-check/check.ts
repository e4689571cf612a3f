/** One requirement of PROTOCOL.md, and how it is tried on a coordinator. */
import type { Bench, Peer } from './bench.ts';

export interface Check {
  /** Stable, in kebab-case. */
  readonly id: string;
  /** Section of PROTOCOL.md. */
  readonly section: string;
  /** The requirement as a sentence. */
  readonly requires: string;
  /** What it waits for comes this late, milliseconds: it is waited for longer. Default 0. */
  readonly takesMs?: number;
  /** Returns what was seen. Throws `Deviation` or `NotApplicable`. */
  run(bench: Bench): Promise<string>;
}

/** A message that must be refused: what it is, its text, and the codes that are right. */
export interface BadMessage {
  readonly what: string;
  readonly message: object | string;
  readonly codes: readonly string[];
}

/**
 * Sends bad messages, three on a connection, and expects their errors, and after the third one the end with 4400. `prepare` makes
 * each connection ready.
 */
export async function expectRefusals(
  bench: Bench,
  messages: readonly BadMessage[],
  prepare: (peer: Peer) => Promise<unknown> = async () => undefined,
): Promise<string> {
  for (let start = 0; start < messages.length; start += 3) {
    const peer = await bench.connect();
    await prepare(peer);
    const group = messages.slice(start, start + 3);
    for (const { what, message, codes } of group) {
      peer.send(message);
      await named(what, peer.expectError(...codes));
    }
    if (group.length === 3) await named('after three bad messages', peer.expectClose(4400));
  }
  return `${messages.length} refused`;
}

/** The same promise, whose failure says what it was about. */
export async function named<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Error) error.message = `${what}: ${error.message}`;
    throw error;
  }
}
