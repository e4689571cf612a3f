/**
 * A directory with the join token for nodes, which is created at the first start and kept. For containers: the directory is a
 * volume that the containers of nodes mount read-only. The admin token is not for nodes and stays in the state directory.
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
 * The join token in `directory`. If there is none, it is created: 256 random bits. Its owner may write the file, and the group of
 * the directory may read it. Processes that start at the same time get the same token. Fails in one line if the
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
  throw new CliFailure(`--token-dir: ${path} is empty; delete it, and a new token is created`, EXIT.failed);
}

function tokenIn(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A hard link is atomic, and never replaces a token that another process has already read. */
function makeToken(directory: string, path: string): string {
  const token = randomBytes(32).toString('base64url');
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${token}\n`);
    chownSync(draft, -1, statSync(directory).gid);
    // Set last, independent of the umask: until here the file had the group of this process.
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
