/**
 * A directory in which nodes find the join token: made at the first start, kept from then on. For containers, where it
 * is a volume that the nodes' containers mount read-only. The admin token is not for nodes: it stays in the state directory.
 */
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { CliFailure, EXIT } from './exit.ts';
import { removeOldDrafts } from './lock/old-drafts.ts';

const FILE = 'join-token';

/**
 * The join token in `directory`. When there is none it is made: 256 random bits in a file that its owner may write and
 * the group of the directory may read. Of several who start at once all get the same one. Fails in one line when the
 * directory cannot be used or the file is empty.
 */
export function keptJoinToken(directory: string): string {
  const path = join(directory, FILE);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    removeOldDrafts(directory, /^join-token\.[0-9a-f]{12}$/);
    const token = tokenIn(path) ?? makeToken(directory, path);
    if (token !== '') return token;
  } catch (error) {
    throw new CliFailure(`--token-dir: ${(error as Error).message}`, EXIT.failed);
  }
  throw new CliFailure(`--token-dir: ${path} is empty; delete it, and a new token is made`, EXIT.failed);
}

function tokenIn(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A hard link appears with its content or not at all, and never replaces a token that somebody has read already. */
function makeToken(directory: string, path: string): string {
  const token = randomBytes(32).toString('base64url');
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${token}\n`);
    chownSync(draft, -1, statSync(directory).gid);
    // Only now, and whatever the umask is: before, the group was our own.
    fchmodSync(file, 0o640);
    fsyncSync(file);
    linkSync(draft, path);
    return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return tokenIn(path) ?? '';
  } finally {
    closeSync(file);
    unlinkSync(draft);
  }
}
