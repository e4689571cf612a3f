/** Exit codes. Each expected failure is thrown as a `CliFailure` and printed as one line. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  timedOut: 4,
  problems: 5,
  unserved: 6,
} as const;

/** An expected failure: `message` is one line with the remedy, `exitCode` is one of `EXIT` or the exit code of a program. */
export class CliFailure extends Error {
  readonly exitCode: number;
  /** Error code of the coordinator, if it refused the request. */
  readonly code: string | undefined;

  constructor(message: string, exitCode: number, code?: string) {
    super(message);
    this.name = 'CliFailure';
    this.exitCode = exitCode;
    this.code = code;
  }
}
