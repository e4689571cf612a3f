/** An error that the user of the benchmark can correct. The message names the correction. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}

/** Reason of an abort by a signal. */
export class Interrupted extends BenchError {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}
