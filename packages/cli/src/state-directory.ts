/** Where `up` keeps its state, and where the other commands find the admin token. */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CliFailure, EXIT } from './exit.ts';
import { LOCK_DRAFTS, type LockFile, type LockHolder, lockHolder, takeLock } from './lock/lock-file.ts';
import { removeOldDrafts } from './lock/old-drafts.ts';

/** `$XDG_STATE_HOME/rollcall/PORT`; for root `/var/lib/rollcall/PORT` unless XDG_STATE_HOME is set. */
export function defaultStateDirectory(controlPort: number, environment: NodeJS.ProcessEnv): string {
  const base =
    environment['XDG_STATE_HOME'] || (process.getuid?.() === 0 ? '/var/lib' : join(homedir(), '.local', 'state'));
  return join(base, 'rollcall', String(controlPort));
}

/**
 * The state directory of a coordinator at `url`: `given`; on this machine else `ROLLCALL_STATE_DIR`, as for `up`, or the default of its
 * port; on another one `undefined`.
 */
export function stateDirectoryOf(
  url: string,
  given: string | undefined,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  if (given) return given;
  const { hostname, port } = new URL(url);
  const isHere = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  if (!isHere) return undefined;
  return environment['ROLLCALL_STATE_DIR'] || defaultStateDirectory(Number(port), environment);
}

/** The admin token that a coordinator on this machine left in its state directory; `undefined` when there is none to read. */
export function readAdminToken(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, 'admin-token'), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** True when a `rollcall up` that runs has this state directory. */
export function isInUse(directory: string | undefined): boolean {
  return directory !== undefined && lockHolder(join(directory, 'lock')) !== undefined;
}

/** Between two tries to make a lock file that could not be made, milliseconds. */
const RETRY_MS = 5_000;

/**
 * Makes the directory and takes its lock; returns the way to give it back. Fails naming the holder when a living process has it.
 * Where no lock file can be made (full or read-only disk, directory of another user, a file in its place) it reports that, and tries
 * again every five seconds; until then the control port, which only one process can listen on, is the lock.
 */
export function lockStateDirectory(directory: string, say: (line: string) => void = () => {}): () => void {
  const first = tryLock(directory);
  if (typeof first !== 'string' && 'pid' in first)
    throw new CliFailure(
      `${directory} is in use by process ${first.pid}; stop it, or choose another --state-dir`,
      EXIT.failed,
    );
  if (typeof first !== 'string') return first.release;
  return lockLater(directory, first, say);
}

function lockLater(directory: string, firstProblem: string, say: (line: string) => void): () => void {
  let release = (): void => {};
  let problem = '';
  const report = (now: string): void => {
    if (now !== problem)
      say(
        `cannot lock the state directory ${directory} (${now}); state that cannot be written is kept in memory, and the control port is the lock`,
      );
    problem = now;
  };
  report(firstProblem);
  const timer = setInterval(() => {
    const outcome = tryLock(directory);
    if (typeof outcome === 'string') report(outcome);
    else if ('pid' in outcome) report(`process ${outcome.pid} has the lock`);
    else {
      release = outcome.release;
      clearInterval(timer);
      say(`the state directory ${directory} can be written again and is locked`);
    }
  }, RETRY_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    release();
  };
}

/** The lock, its holder, or why no lock file can be made. */
function tryLock(directory: string): LockFile | LockHolder | string {
  try {
    makeFolder(directory);
    removeOldDrafts(directory, LOCK_DRAFTS);
    return takeLock(join(directory, 'lock'));
  } catch (error) {
    // Code and description; what comes after them names a draft, which is another one each time.
    return (error as Error).message.split(',', 1)[0] ?? '';
  }
}

/** Unlike the recursive `mkdir` of Node.js it reports a read-only disk as one. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    if (code !== 'ENOENT') throw error;
    makeFolder(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}
