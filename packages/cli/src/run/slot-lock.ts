/**
 * Numbers the copies of one program on one machine: each gets the lowest number whose lock is free. A restarted program gets the
 * same number, hence the same id and route.
 */
import { createHash } from 'node:crypto';
import { accessSync, constants, lstatSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LOCK_DRAFTS, takeLock } from '../lock/lock-file.ts';
import { removeOldDrafts } from '../lock/old-drafts.ts';

/** Highest number tried. */
const MAX_SLOT = 1_023;

export interface SlotOptions {
  /** Directory of the lock files; created if absent. */
  readonly directory: string;
  readonly balancer: string;
  /** Working directory, which distinguishes programs. */
  readonly workingDirectory: string;
}

/** A held number. */
export interface Slot {
  readonly number: number;
  /** Releases the number. Further calls have no effect. */
  release(): void;
}

/** `/var/lib/rollcall/slots` for root, else `$XDG_STATE_HOME/rollcall/slots` with its usual default. */
export function defaultSlotDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  if (process.getuid?.() === 0) return '/var/lib/rollcall/slots';
  return join(environment['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'rollcall', 'slots');
}

/**
 * `usual`, or a folder of this user in `temporary` if `usual` is not writable, as in a container whose user has no home. Throws if
 * that folder belongs to another user.
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
    throw new Error(`${usual} cannot be written, and ${own} belongs to another user`);
  }
}

/** Takes the lowest free number; `undefined` if 1,024 are held. Throws if the directory is not writable. */
export function acquireSlot(options: SlotOptions): Slot | undefined {
  mkdirSync(options.directory, { recursive: true, mode: 0o755 });
  removeOldDrafts(options.directory, LOCK_DRAFTS);
  const program = createHash('sha256').update(options.workingDirectory).digest('hex').slice(0, 12);
  const prefix = join(options.directory, `${options.balancer}-${program}`);
  for (let number = 0; number <= MAX_SLOT; number += 1) {
    const taken = takeLock(`${prefix}-${number}.lock`);
    if ('release' in taken) return { number, release: taken.release };
  }
  return undefined;
}
