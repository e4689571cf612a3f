/**
 * A lock that is a file with its holder: pid, start of that process in clock ticks, id of the boot. It is held as long as that
 * process lives; a zombie, another process with that pid, and a pid of an earlier boot hold nothing.
 *
 * The file is made by `link` of a complete draft, so that no process reads one half-written. A stale lock is replaced by `rename`,
 * by the one process that holds the takeover of exactly that content, which is a lock of the same kind. So of many that see the
 * same dead holder one wins, and a lock that is alive is never moved.
 */
import { createHash, randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { readProcess } from '../run/process-table.ts';

/** A lock that this process holds. */
export interface LockFile {
  /** Gives the lock back. A repeat changes nothing. */
  release(): void;
}

/** The living process that has the lock. */
export interface LockHolder {
  readonly pid: number;
}

/** Races that are lost before the lock counts as taken by another process. */
const MAX_ATTEMPTS = 20;

/** Drafts of locks in a directory, and what earlier releases have left there. */
export const LOCK_DRAFTS: RegExp = /[.-][0-9a-f]{16}\.(tmp|stale)$/;

/** Takes the lock at `path`, or says who has it. Throws the system's error when the file cannot be made. */
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
  // It is about to have the lock.
  if (other) return other;
  throw new Error(`${path} cannot be read, or changes hands all the time`);
}

/** The living process that has the lock at `path`; `undefined` when none has. */
export function lockHolder(path: string): LockHolder | undefined {
  const pid = holderOf(contentOf(path) ?? '');
  return pid === undefined ? undefined : { pid };
}

/** First the lines that earlier releases read, then the boot and a random part, which distinguishes locks of one process. */
function ownContent(): string {
  const { startTicks = 0 } = readProcess(process.pid) ?? {};
  return `${process.pid} ${startTicks}\n${bootId()}\n${randomBytes(8).toString('hex')}\n`;
}

/** False when a file is there already. */
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

/** Replaces a stale lock; false when another process has, that process when it is about to. */
function replaced(path: string, seen: string, own: string): boolean | LockHolder {
  const takeover = takeLock(`${path}.${createHash('sha256').update(seen).digest('hex').slice(0, 12)}`);
  if ('pid' in takeover) return takeover;
  try {
    // From here on no other process replaces this content, and a dead holder does not remove it.
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

/** Pid of the living process that `content` names, also in the forms of earlier releases; `undefined` when there is none. */
function holderOf(content: string): number | undefined {
  const [, number, startTicks = '0', boot] = /^(\d{1,10})(?: (\d+))?\n(?:([0-9a-f-]{36})\n)?/.exec(content) ?? [];
  if (number === undefined) return undefined;
  const pid = Number(number);
  if (boot !== undefined && bootId() !== '' && boot !== bootId()) return undefined;
  const seen = readProcess(pid);
  if (seen !== undefined) return startTicks === '0' || seen.startTicks === Number(startTicks) ? pid : undefined;
  // Without /proc the pid alone has to do. With it, one that is not seen is gone, a zombie, or hidden from this user.
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
    // It is gone already, or the disk is read-only: the holder's pid shows that it is stale.
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
