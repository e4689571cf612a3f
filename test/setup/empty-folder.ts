/** An empty folder outside of the clone, with a home directory nobody has used, where something is installed and run. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newcomerEnvironment, Running } from './fresh-clone.ts';

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
    // Nobody is left of its group.
  }
}
