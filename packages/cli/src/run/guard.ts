/**
 * Ends a program whose wrapper was killed with SIGKILL. A shell holds the other end of a pipe to the wrapper. The kernel closes
 * this pipe however the wrapper ends. The program stays a child of the wrapper.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Reads the process group, then waits for the end of the pipe. Then it sends SIGTERM, and SIGKILL ten seconds later. */
const SCRIPT = `
read -r group || exit 0
read -r word && exit 0
kill -s TERM -- "-$group" 2>/dev/null || exit 0
left=10
while [ $left -gt 0 ] && kill -s 0 -- "-$group" 2>/dev/null; do sleep 1; left=$((left - 1)); done
kill -s KILL -- "-$group" 2>/dev/null
`;

export class Guard {
  readonly #shell: ChildProcess | undefined;
  readonly #hasEnded: Promise<unknown> = Promise.resolve();

  /**
   * Starts the guard, which should run before the program does. It has its own session, so that a signal to the wrapper's group does
   * not end it, and it does not keep the process alive. Without a shell there is no guard.
   */
  constructor() {
    const { PATH } = process.env;
    try {
      this.#shell = spawn('/bin/sh', ['-c', SCRIPT], {
        env: PATH === undefined ? {} : { PATH },
        stdio: ['pipe', 'ignore', 'ignore'],
        detached: true,
      });
    } catch {
      // The system cannot create a process; the start of the program reports it.
      return;
    }
    const shell = this.#shell;
    const failed = once(shell, 'error');
    this.#hasEnded = Promise.race([once(shell, 'exit').catch(() => {}), failed]);
    // A guard that was killed does not read any more.
    shell.stdin?.on('error', () => {});
    shell.unref();
    (shell.stdin as { unref?(): void } | null)?.unref?.();
  }

  /** Sets the process group that the guard ends when this process ends. */
  watch(group: number): void {
    this.#shell?.stdin?.write(`${group}\n`);
  }

  /** The program has ended. Resolves when the guard has ended as well; further calls have no effect. */
  async dismiss(): Promise<void> {
    this.#shell?.ref();
    this.#shell?.kill('SIGKILL');
    await this.#hasEnded;
  }
}
