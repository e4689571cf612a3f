/** Runs programs to their end. */
import { execFile } from 'node:child_process';

/** Outcome of a command. */
export interface Outcome {
  readonly code: number;
  /** Standard output alone. */
  readonly output: string;
  readonly errors: string;
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs a command to its end. Never rejects: a command that cannot be started ends with 127. */
export function run([program = '', ...args]: readonly string[], environment: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(program, args, { env: environment, maxBuffer: MAX_OUTPUT_BYTES }, (error, output, errors) =>
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 127, output, errors }),
    );
  });
}
