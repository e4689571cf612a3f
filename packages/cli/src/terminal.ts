/** What a SIGHUP means: a terminal that is closed sends it, and so do operators. */
import { closeSync, constants, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * `asked`: a process has sent it. `closed`: the terminal that this process uses is gone. `detached`: the terminal is
 * gone and this process does not use it, as after `nohup`. Node resets the ignored signal, so that SIGHUP still arrives.
 */
export type Hangup = 'asked' | 'closed' | 'detached';

export class Terminal {
  readonly #hadTerminal: boolean = hasTerminal();
  readonly #isUsed: boolean = [0, 1, 2].some((descriptor) => isatty(descriptor));

  /** Started so that it outlives its terminal: standard input, output and error are elsewhere. */
  get isDetached(): boolean {
    return this.#hadTerminal && !this.#isUsed;
  }

  /** Why a SIGHUP has just come. */
  hangup(): Hangup {
    if (!this.#hadTerminal || hasTerminal()) return 'asked';
    return this.#isUsed ? 'closed' : 'detached';
  }
}

/** Whether this process has a controlling terminal, and that is not hung up. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}
