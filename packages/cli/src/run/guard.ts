/**
 * Ends a program whose wrapper was killed, which can do nothing about it itself: a shell holds the other end of a pipe to
 * the wrapper, and the kernel closes that however the wrapper ends. The program stays the wrapper's own child.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Told the group, it waits for the pipe's end; then as the wrapper itself would: asked, and killed ten seconds later. */
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
   * Starts it; meant to be there before the program is. It has a session of its own, so that what ends the wrapper's group
   * spares it, and keeps no process alive. Where there is no shell nobody guards.
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
      // The system has no room for a process; starting the program reports it.
      return;
    }
    const shell = this.#shell;
    const failed = once(shell, 'error');
    this.#hasEnded = Promise.race([once(shell, 'exit').catch(() => {}), failed]);
    // A guard that was killed takes no word any more.
    shell.stdin?.on('error', () => {});
    shell.unref();
    (shell.stdin as { unref?(): void } | null)?.unref?.();
  }

  /** The process group that ends when this process does. */
  watch(group: number): void {
    this.#shell?.stdin?.write(`${group}\n`);
  }

  /** There is nothing left to end. Resolves when nothing is left of the guard either; a repeat changes nothing. */
  async dismiss(): Promise<void> {
    this.#shell?.ref();
    this.#shell?.kill('SIGKILL');
    await this.#hasEnded;
  }
}
