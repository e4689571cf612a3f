/**
 * Numbers the copies of one program on one machine: the lowest number whose lock file nobody holds. The same program
 * started again gets the same number, hence the same id and route.
 *
 * A lock is a file with the holder's pid and start time; a holder that is gone, or whose pid belongs to another
 * process by now, holds nothing. Files are made by `link`, so that nobody sees one half-written.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readProcess } from './process-table.ts';

/** Highest number tried. */
const MAX_SLOT = 1_023;

export interface SlotOptions {
  /** Where the lock files are; made when absent. */
  readonly directory: string;
  readonly balancer: string;
  /** Tells programs apart: their working directory. */
  readonly workingDirectory: string;
}

/** A held number. */
export interface Slot {
  readonly number: number;
  /** Gives the number back. A repeat changes nothing. */
  release(): void;
}

/** `/var/lib/rollcall/slots` for root, else `$XDG_STATE_HOME/rollcall/slots` with its usual default. */
export function defaultSlotDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  if (process.getuid?.() === 0) return '/var/lib/rollcall/slots';
  return join(environment['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'rollcall', 'slots');
}

/**
 * `usual`, or a folder of this user's own in `temporary` when `usual` cannot be written, as in a container whose user has
 * no home. Throws when that is somebody else's.
 */
export function writableSlotDirectory(usual: string, temporary: string): string {
  try {
    mkdirSync(usual, { recursive: true, mode: 0o755 });
    accessSync(usual, constants.W_OK);
    return usual;
  } catch {
    const uid = process.getuid?.() ?? 0;
    const own = join(temporary, `rollcall-slots-${uid}`);
    mkdirSync(own, { recursive: true, mode: 0o700 });
    const made = lstatSync(own);
    if (made.isDirectory() && made.uid === uid) return own;
    throw new Error(`${usual} cannot be written, and ${own} is somebody else's`);
  }
}

/** Takes the lowest free number; `undefined` when 1,024 are held. Throws when the directory cannot be written. */
export function acquireSlot(options: SlotOptions): Slot | undefined {
  mkdirSync(options.directory, { recursive: true, mode: 0o755 });
  const program = createHash('sha256').update(options.workingDirectory).digest('hex').slice(0, 12);
  const prefix = join(options.directory, `${options.balancer}-${program}`);
  const holder = `${process.pid} ${readProcess(process.pid)?.startTicks ?? 0}\n`;
  // The random part tells locks of one process apart when it removes them.
  const own = `${holder}${randomBytes(8).toString('hex')}\n`;
  const draft = `${prefix}-${randomBytes(8).toString('hex')}.tmp`;
  writeFileSync(draft, own, { flag: 'wx', mode: 0o644 });
  try {
    for (let number = 0; number <= MAX_SLOT; number += 1) {
      const path = `${prefix}-${number}.lock`;
      if (take(path, draft)) return { number, release: () => releaseLock(path, own) };
    }
    return undefined;
  } finally {
    unlinkSync(draft);
  }
}

function take(path: string, draft: string): boolean {
  if (linked(draft, path)) return true;
  const seen = contentOf(path);
  if (seen !== undefined && isHeld(seen)) return false;
  if (seen !== undefined && !removeStale(path, seen)) return false;
  return linked(draft, path);
}

/** Moves the stale lock away; when somebody has renewed it in the meantime, it is put back and false returned. */
function removeStale(path: string, seen: string): boolean {
  const aside = `${path}.${randomBytes(8).toString('hex')}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return contentOf(path) === undefined;
  }
  const isStale = contentOf(aside) === seen;
  if (!isStale) linked(aside, path);
  unlinkSync(aside);
  return isStale;
}

function isHeld(content: string): boolean {
  const [, pid, startTicks] = /^(\d+) (\d+)\n/.exec(content) ?? [];
  if (pid === undefined) return false;
  const holder = readProcess(Number(pid));
  if (holder !== undefined) return startTicks === '0' || holder.startTicks === Number(startTicks);
  // Without /proc the pid alone has to do.
  return startTicks === '0' && isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function releaseLock(path: string, own: string): void {
  if (contentOf(path) === own) unlinkSync(path);
}
