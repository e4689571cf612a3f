/** Commands on a terminal of their own, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { ROLLCALL } from './commands.ts';
import { until } from './site.ts';

/** A reason to skip tests that need a terminal; false when they can run. */
export const NO_PTY: string | false = existsSync('/usr/bin/script') ? false : 'apt-get install bsdutils';

export interface PtyOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export class Pty {
  readonly #child: ChildProcess;
  #output = '';
  readonly #exit: Promise<number | null>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    this.#exit = new Promise((resolve) => child.once('close', resolve));
  }

  /** Runs a line of the shell. `rollcall` in it is the compiled command. */
  static start(t: TestContext, line: string, { columns = 80, rows = 24, environment = {} }: PtyOptions = {}): Pty {
    const words = line.replaceAll(/\brollcall\b(?=\s)/g, `${process.execPath} ${ROLLCALL}`);
    const child = spawn('script', ['-qefc', `stty cols ${columns} rows ${rows}; ${words}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm', NO_COLOR: '', ...environment },
    });
    t.after(() => void child.kill('SIGKILL'));
    return new Pty(child);
  }

  /** Everything that the terminal has received. */
  get output(): string {
    return this.#output;
  }

  type(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  /** Resolves when the terminal has received text that matches, since the last `from` characters of the output. */
  async shows(pattern: RegExp, from = 0): Promise<void> {
    await until(
      () => pattern.test(this.#output.slice(from)),
      `the terminal does not show ${pattern}:\n${this.#output}`,
    );
  }

  /** Exit code of the line. */
  get exit(): Promise<number | null> {
    return this.#exit;
  }
}
