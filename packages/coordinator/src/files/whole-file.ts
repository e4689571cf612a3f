/** Atomic file writes: a file is on disk completely or not at all. */
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Text of a file; `undefined` if it does not exist. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** True for the error of reading a file that does not exist, also because its folder does not exist. */
export function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/**
 * Creates a folder that only its owner can use, with its parents. Rejects with the error of the first folder that cannot be
 * created: the recursive `mkdir` of Node.js reports ENOENT on a read-only disk.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT') throw error;
    await makeFolder(dirname(path));
    await mkdir(path, { mode: 0o700 });
  }
}

/**
 * Replaces `path` by a file that only its owner can read. The file is on disk when this resolves. It is written as `PATH.tmp`, which
 * a failed write removes and the next write replaces. On failure the old file stays, and this rejects with the error of the system.
 */
export async function replaceFile(path: string, content: string | Iterable<string | Buffer>): Promise<void> {
  const beside = besideOf(path);
  await rm(beside, { force: true });
  const file = await open(beside, 'wx', 0o600);
  try {
    try {
      await writeFile(file, content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** The path to which `replaceFile` writes first; a crash may leave a file there. */
export function besideOf(path: string): string {
  return `${path}.tmp`;
}

/** Without this call a power failure may undo the rename. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
