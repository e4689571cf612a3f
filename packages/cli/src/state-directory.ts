/** The state directory of `up`, which has the admin token for other commands. */
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
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

/** State directory of a `rollcall demo` of this user. It is in the temporary directory, because a demo leaves nothing behind. */
function demoStateDirectory(controlPort: number): string {
  return join(tmpdir(), `rollcall-demo-${process.getuid?.() ?? 0}-${controlPort}`);
}

/**
 * Creates the state directory of a demo and returns its path. Commands find it by the control port; `isFound` is false if the
 * usual path belongs to another user or demo, and commands need `--state-dir`. A directory that an earlier demo left is replaced.
 */
export function createDemoStateDirectory(
  controlPort: number,
  environment: NodeJS.ProcessEnv,
): { readonly path: string; readonly isFound: boolean } {
  const path = demoStateDirectory(controlPort);
  try {
    if (isOwnDirectory(path) && !isInUse(path)) rmSync(path, { recursive: true });
    mkdirSync(path, { mode: 0o700 });
    return { path, isFound: !environment['ROLLCALL_STATE_DIR'] };
  } catch {
    return { path: mkdtempSync(join(tmpdir(), 'rollcall-demo-')), isFound: false };
  }
}

/** False for a link, and for a directory of another user or that other users can write. */
function isOwnDirectory(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === (process.getuid?.() ?? 0) && (stats.mode & 0o077) === 0;
}

/**
 * The state directory of a coordinator at `url`: `given` if set. Otherwise, on this machine, `ROLLCALL_STATE_DIR`, the directory of
 * a running demo on this port, or the default of the port, as for `up`. On another machine `undefined`.
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
  if (environment['ROLLCALL_STATE_DIR']) return environment['ROLLCALL_STATE_DIR'];
  const demo = demoStateDirectory(Number(port));
  return isOwnDirectory(demo) && isInUse(demo) ? demo : defaultStateDirectory(Number(port), environment);
}

/** The admin token that a coordinator on this machine left in its state directory; `undefined` when there is none to read. */
export function readAdminToken(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, 'admin-token'), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** True if a running `rollcall up` has this state directory. */
export function isInUse(directory: string | undefined): boolean {
  return directory !== undefined && lockHolder(join(directory, 'lock')) !== undefined;
}

/** Time between two attempts to create the lock file, milliseconds. */
const RETRY_MS = 5_000;

/**
 * Creates the directory and takes its lock; returns a function that releases it. Fails with the holder if a living process has it.
 *
 * No lock file can be created on a full or read-only disk, in another user's directory, or if a file is in its place. This is
 * reported and retried every five seconds. Until it succeeds the control port is the lock, because only one process can listen on it.
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
    // Code and description only; the rest names a draft, whose name changes each time.
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
