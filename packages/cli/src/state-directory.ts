/** Where `up` keeps its state, and where the other commands find the admin token. */
import { closeSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CliFailure, EXIT } from './exit.ts';
import { readProcess } from './run/process-table.ts';

/** `$XDG_STATE_HOME/rollcall/PORT`; for root `/var/lib/rollcall/PORT` unless XDG_STATE_HOME is set. */
export function defaultStateDirectory(controlPort: number, environment: NodeJS.ProcessEnv): string {
  const base =
    environment['XDG_STATE_HOME'] || (process.getuid?.() === 0 ? '/var/lib' : join(homedir(), '.local', 'state'));
  return join(base, 'rollcall', String(controlPort));
}

/** The admin token that a coordinator on this machine left in its state directory; `undefined` when there is none to read. */
export function readAdminToken(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, 'admin-token'), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes the directory and takes its lock, a file with its holder's pid and start time. A lock whose process is gone is
 * taken over, also when its pid is another process by now, as it soon is in a container that was killed. Fails naming
 * the holder when somebody has it. Returns the way to let go.
 */
export function lockStateDirectory(directory: string): () => void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CliFailure(
      `cannot make the state directory ${directory}: ${(error as Error).message}; choose one with --state-dir`,
      EXIT.failed,
    );
  }
  const path = join(directory, 'lock');
  for (let attempt = 0; attempt < 3; attempt++) {
    const file = openExclusively(path);
    if (file !== undefined) {
      writeSync(file, `${process.pid} ${readProcess(process.pid)?.startTicks ?? 0}\n`);
      closeSync(file);
      return () => removeQuietly(path);
    }
    const holder = holderOf(readQuietly(path));
    if (holder !== undefined && holder !== process.pid)
      throw new CliFailure(
        `${directory} is in use by process ${holder}; stop it, or choose another --state-dir`,
        EXIT.failed,
      );
    removeQuietly(path);
  }
  throw new CliFailure(`cannot lock ${directory}; choose another --state-dir`, EXIT.failed);
}

/** Pid of the living process that `content` names; `undefined` when there is none. */
function holderOf(content: string): number | undefined {
  const [, pid, startTicks] = /^(\d{1,10})(?: (\d+))?\n/.exec(content) ?? [];
  if (pid === undefined || !isAlive(Number(pid))) return undefined;
  const seen = readProcess(Number(pid))?.startTicks;
  // Without /proc, then or now, the pid alone has to do.
  const isSame = seen === undefined || !Number(startTicks) || seen === Number(startTicks);
  return isSame ? Number(pid) : undefined;
}

function openExclusively(path: string): number | undefined {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw new CliFailure(`cannot write ${path}: ${(error as Error).message}`, EXIT.failed);
  }
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody else has removed it: what we wanted.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
