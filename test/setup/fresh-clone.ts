/** A fresh clone of this repository in a temporary folder with a space in its name, with npm as a new user runs it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** A slow machine and a slow registry included, milliseconds. */
const SAID_WITHIN_MS = 180_000;
/** Time limit for the remaining output of an ended program, milliseconds. */
const REST_MS = 1_000;
const NOT_CLONED = new Set(['node_modules', 'dist', '.git', '.rollcall-setup', 'coverage']);

export class FreshClone {
  readonly directory: string;
  /** An unused home directory. */
  readonly home: string;
  readonly #scratch: string;
  readonly #started: Running[] = [];

  constructor() {
    this.#scratch = mkdtempSync(join(tmpdir(), 'rollcall-setup-'));
    this.directory = join(this.#scratch, 'a fresh clone');
    this.home = join(this.#scratch, 'home');
    mkdirSync(this.home);
    if (existsSync(join(ROOT, '.git')))
      execFileSync('git', ['-c', `safe.directory=${ROOT}`, 'clone', '--quiet', '--no-local', ROOT, this.directory]);
    else cpSync(ROOT, this.directory, { recursive: true, filter: (source) => !NOT_CLONED.has(basename(source)) });
  }

  /** Runs a program in the clone, in a process group of its own as a terminal does. */
  run(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    const child = spawn(program, args, {
      cwd: this.directory,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...newcomerEnvironment(this.home), ...environment },
    });
    const running = new Running(child);
    this.#started.push(running);
    return running;
  }

  npm(args: readonly string[], environment?: Readonly<Record<string, string>>): Running {
    return this.run('npm', args, environment);
  }

  /** True when an installation has ended well. */
  get isInstalled(): boolean {
    return existsSync(join(this.directory, 'node_modules', '.rollcall-installed'));
  }

  /** Command lines of all processes that work in the clone or run something of it. */
  processes(): readonly string[] {
    const found: string[] = [];
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        if (
          command !== '' &&
          (command.includes(this.#scratch) || readlinkSync(`/proc/${pid}/cwd`).startsWith(this.#scratch))
        )
          found.push(`${pid} ${command}`);
      } catch {
        // It has just ended, or belongs to another user.
      }
    }
    return found;
  }

  /** Ends what a test has left running, hard. */
  async endAll(): Promise<void> {
    for (const running of this.processes()) kill(Number.parseInt(running, 10));
    for (const running of this.#started.splice(0)) await running.ended();
  }

  async close(): Promise<void> {
    await this.endAll();
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

/** The environment of a new user's shell, without the variables of the npm that runs this test. Registry settings stay. */
export function newcomerEnvironment(home: string): NodeJS.ProcessEnv {
  const { PATH = '', ...rest } = process.env;
  const kept = Object.entries(rest).filter(
    ([name]) =>
      !/^(?:npm_|NODE_|INIT_CWD$|CI$|ROLLCALL_|HOME$|XDG_)/i.test(name) ||
      /^npm_config_(?:registry|.*proxy|cafile)$/i.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    PATH: PATH.split(delimiter)
      .filter((folder) => !folder.includes('node_modules'))
      .join(delimiter),
    HOME: home,
    NPM_CONFIG_USERCONFIG: process.env['npm_config_userconfig'] ?? join(homedir(), '.npmrc'),
    NPM_CONFIG_UPDATE_NOTIFIER: 'false',
  };
}

/** A program that was started, and its output. */
export class Running {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | string>;
  #output = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (data: Buffer) => {
        this.#output += data.toString();
        child.emit('said');
      });
    const closed = once(child, 'close');
    this.#exit = once(child, 'exit').then(async ([code, signal]) => {
      // The rest of its output; remaining processes may keep it open permanently.
      await Promise.race([closed, sleep(REST_MS, undefined, { ref: false })]);
      return (code as number | null) ?? String(signal);
    });
  }

  /** Standard output and standard error, as they came. */
  get output(): string {
    return this.#output;
  }

  /** Resolves with the match as soon as the output has it; rejects with the output when the program ends before. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    const tooLate = AbortSignal.timeout(SAID_WITHIN_MS);
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match) return match;
      const said = once(this.#child, 'said', { signal: tooLate }).then(
        () => undefined,
        () => `nothing for ${SAID_WITHIN_MS} ms`,
      );
      const ended = await Promise.race([this.#exit, said]);
      if (ended !== undefined && !pattern.test(this.#output))
        throw new Error(`it ended (${ended}) before it printed ${pattern}:\n${this.#output}`);
    }
  }

  /** Ctrl-C in a terminal: one signal to all started processes. */
  ctrlC(): void {
    process.kill(-this.#child.pid!, 'SIGINT');
  }

  /** Exit code, or the signal that ended it. */
  ended(): Promise<number | string> {
    return this.#exit;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
