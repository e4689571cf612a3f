/** The cause of a SIGHUP: a closed terminal, or an operator. */
import { closeSync, constants, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * `requested`: a process sent it. `closed`: the terminal of this process is gone. `detached`: the terminal is gone, but this process
 * does not use it, as after `nohup`. SIGHUP still arrives then, because Node resets ignored signals.
 */
export type Hangup = 'requested' | 'closed' | 'detached';

export class Terminal {
  readonly #hadTerminal: boolean = hasTerminal();
  readonly #isUsed: boolean = [0, 1, 2].some((descriptor) => isatty(descriptor));

  /** Whether standard input, output or error is a terminal. Otherwise the process outlives its terminal. */
  get isDetached(): boolean {
    return this.#hadTerminal && !this.#isUsed;
  }

  /** The cause of a SIGHUP that was just received. */
  hangup(): Hangup {
    if (!this.#hadTerminal || hasTerminal()) return 'requested';
    return this.#isUsed ? 'closed' : 'detached';
  }
}

/** Whether this process has a controlling terminal that is not hung up. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}
