/** An empty folder outside of the clone, with an unused home directory, where a package is installed and run. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { newcomerEnvironment, Running } from './fresh-clone.ts';

const REGISTRY_UNREACHABLE = /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b/;

export class EmptyFolder {
  readonly path: string;
  readonly #scratch: string;
  readonly #started: { readonly pid: number; readonly running: Running }[] = [];

  constructor() {
    this.#scratch = mkdtempSync(join(tmpdir(), 'rollcall-elsewhere-'));
    this.path = join(this.#scratch, 'my project');
    mkdirSync(this.path);
    mkdirSync(join(this.#scratch, 'home'));
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), 'utf8');
  }

  /** Installs tarballs and packages of the registry. Without a registry it skips `t` and resolves with false. */
  async install(t: TestContext, ...words: readonly string[]): Promise<boolean> {
    const npm = this.run('npm', ['install', '--no-audit', '--no-fund', '--fetch-retries=1', ...words]);
    const code = await npm.ended();
    if (code === 0) return true;
    if (!REGISTRY_UNREACHABLE.test(npm.output)) throw new Error(npm.output);
    t.skip('the npm registry cannot be reached: check the network, and the proxy and registry settings of npm');
    return false;
  }

  /** Starts a program in the folder, in a process group of its own. */
  run(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    const child = spawn(program, args, {
      cwd: this.path,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...newcomerEnvironment(join(this.#scratch, 'home')), ...environment },
    });
    const running = new Running(child);
    if (child.pid !== undefined) this.#started.push({ pid: child.pid, running });
    return running;
  }

  /** Runs one of the programs that were installed here. */
  runInstalled(name: string, args: readonly string[], environment?: Readonly<Record<string, string>>): Running {
    return this.run(join(this.path, 'node_modules', '.bin', name), args, environment);
  }

  /** Ends what still runs, the last started first, and removes everything. */
  async close(): Promise<void> {
    for (const { pid, running } of this.#started.reverse()) {
      end(pid);
      await running.ended();
    }
    rmSync(this.#scratch, { recursive: true, force: true });
  }
}

function end(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Its process group is empty.
  }
}
