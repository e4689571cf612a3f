/**
 * A lock file that names its holder: pid, start of the process in clock ticks, id of the boot. The lock is held while this
 * process lives. A zombie, another process with this pid and a pid of an earlier boot do not hold it.
 *
 * The file is made by `link` of a complete draft, so that no process reads a partial file. A stale lock is replaced by `rename`.
 * The process that does so holds the takeover of exactly this content, which is a lock of the same kind. So one of many processes
 * that see the same dead holder wins, and the lock of a living process is never moved.
 */
import { createHash, randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { readProcess } from '../run/process-table.ts';

/** A lock that this process holds. */
export interface LockFile {
  /** Releases the lock. Further calls have no effect. */
  release(): void;
}

/** The living process that has the lock. */
export interface LockHolder {
  readonly pid: number;
}

/** Lost races after which the lock counts as taken by another process. */
const MAX_ATTEMPTS = 20;

/** File names of drafts in a directory, also of earlier releases. */
export const LOCK_DRAFTS: RegExp = /[.-][0-9a-f]{16}\.(tmp|stale)$/;

/** Takes the lock at `path`, or returns its holder. Throws the system error if the file cannot be created. */
export function takeLock(path: string): LockFile | LockHolder {
  let other: LockHolder | undefined;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const seen = contentOf(path);
    const pid = seen === undefined ? undefined : holderOf(seen);
    if (pid !== undefined) return { pid };
    const own = ownContent();
    const outcome = seen === undefined ? linked(own, path) : replaced(path, seen, own);
    if (outcome === true) return { release: () => release(path, own) };
    if (outcome !== false) other = outcome;
  }
  // This process is about to take the lock.
  if (other) return other;
  throw new Error(`${path} cannot be read, or its holder changes all the time`);
}

/** The living process that has the lock at `path`; `undefined` when none has. */
export function lockHolder(path: string): LockHolder | undefined {
  const pid = holderOf(contentOf(path) ?? '');
  return pid === undefined ? undefined : { pid };
}

/** First the lines that earlier releases read, then the boot id and a random part, which separates locks of one process. */
function ownContent(): string {
  const { startTicks = 0 } = readProcess(process.pid) ?? {};
  return `${process.pid} ${startTicks}\n${bootId()}\n${randomBytes(8).toString('hex')}\n`;
}

/** False if the file already exists. */
function linked(own: string, path: string): boolean {
  const draft = draftOf(path, own);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    removeQuietly(draft);
  }
}

/** Replaces a stale lock. Returns false if another process has replaced it, or that process while it does so. */
function replaced(path: string, seen: string, own: string): boolean | LockHolder {
  const takeover = takeLock(`${path}.${createHash('sha256').update(seen).digest('hex').slice(0, 12)}`);
  if ('pid' in takeover) return takeover;
  try {
    // From here on no other process replaces this content, and its dead holder cannot remove it.
    if (contentOf(path) !== seen) return false;
    const draft = draftOf(path, own);
    try {
      renameSync(draft, path);
    } catch (error) {
      removeQuietly(draft);
      throw error;
    }
    return true;
  } finally {
    takeover.release();
  }
}

function draftOf(path: string, own: string): string {
  const draft = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    writeFileSync(draft, own, { flag: 'wx', mode: 0o644 });
  } catch (error) {
    removeQuietly(draft);
    throw error;
  }
  return draft;
}

/** Pid of the living process that `content` names, also in formats of earlier releases; `undefined` if there is none. */
function holderOf(content: string): number | undefined {
  const [, number, startTicks = '0', boot] = /^(\d{1,10})(?: (\d+))?\n(?:([0-9a-f-]{36})\n)?/.exec(content) ?? [];
  if (number === undefined) return undefined;
  const pid = Number(number);
  if (boot !== undefined && bootId() !== '' && boot !== bootId()) return undefined;
  const seen = readProcess(pid);
  if (seen !== undefined) return startTicks === '0' || seen.startTicks === Number(startTicks) ? pid : undefined;
  // Without /proc only the pid is compared. With /proc, a process that is not listed is gone, a zombie, or hidden from this user.
  const signalled = signal(pid);
  const hasProc = readProcess(process.pid) !== undefined;
  return signalled === 'EPERM' || (signalled === 'ok' && !hasProc) ? pid : undefined;
}

function signal(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
    return 'ok';
  } catch (error) {
    return codeOf(error);
  }
}

/** `''` on systems that have none. */
function bootId(): string {
  return contentOf('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function release(path: string, own: string): void {
  if (contentOf(path) === own) removeQuietly(path);
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The file is gone already, or the disk is read-only: the pid of the holder shows that the lock is stale.
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
