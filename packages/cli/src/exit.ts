/** How the command ends. Every failure of a user's making or finding is thrown as one of these and printed as one line. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, timedOut: 4 } as const;

/** An expected failure: `message` is one line that says what to do, `exitCode` one of `EXIT` or a program's own. */
export class CliFailure extends Error {
  readonly exitCode: number;
  /** The coordinator's code, when it is its refusal. */
  readonly code: string | undefined;

  constructor(message: string, exitCode: number, code?: string) {
    super(message);
    this.name = 'CliFailure';
    this.exitCode = exitCode;
    this.code = code;
  }
}
