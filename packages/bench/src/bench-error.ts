/** Something that whoever started the bench can do something about; the message says what. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}

/** Why the bench was ended: by a signal. */
export class Interrupted extends BenchError {
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}
