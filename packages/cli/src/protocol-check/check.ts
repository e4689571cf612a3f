/** One requirement of PROTOCOL.md and its check. */
import type { Bench, Peer } from './bench.ts';

export interface Check {
  /** Stable, in kebab-case. */
  readonly id: string;
  /** Section of PROTOCOL.md. */
  readonly section: string;
  /** The requirement as a sentence. */
  readonly requires: string;
  /** Expected delay of the observed effect, milliseconds; extends the time limit. Default 0. */
  readonly takesMs?: number;
  /** Returns the observation. Throws `Deviation` or `NotApplicable`. */
  run(bench: Bench): Promise<string>;
}

/** A message that must be refused: description, text, and valid error codes. */
export interface BadMessage {
  readonly what: string;
  readonly message: object | string;
  readonly codes: readonly string[];
}

/**
 * Sends bad messages, three per connection, and expects their errors, and close code 4400 after the third. `prepare` sets up
 * each connection.
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

/** The same promise; its error names the subject. */
export async function named<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Error) error.message = `${what}: ${error.message}`;
    throw error;
  }
}
