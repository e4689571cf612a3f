/** One process at a time sets a clone up; the others wait until it is done. */
import { linkSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 200;

/**
 * Takes the lock at `path`, a file with the holder's process id, and returns the way to release it. `onWait` is told the
 * holder, once. A lock whose holder has died is taken over.
 */
export async function takeLock(path, onWait) {
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    let hasWaited = false;
    while (!link(mine, path)) {
      const holder = holderOf(path);
      if (holder === undefined) continue;
      if (isAlive(holder)) {
        if (!hasWaited) onWait(holder);
        hasWaited = true;
        await sleep(LOOK_AGAIN_MS);
      } else rmSync(path, { force: true });
    }
  } finally {
    unlinkSync(mine);
  }
  return () => rmSync(path, { force: true });
}

/** A hard link appears with its content or not at all, so nobody ever reads a lock without a holder. */
function link(mine, path) {
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** `undefined` when the lock has just been released. */
function holderOf(path) {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
