/** A lock, so that only one process at a time sets up a clone. */
import { linkSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Interval at which a waiting process checks the lock, milliseconds. */
const LOOK_AGAIN_MS = 200;

/**
 * Waits for the lock at `path`, a file with the process id of the holder, and takes it. Returns the function that releases it. If it has
 * to wait, `onWait` is called once with the holder. A lock whose holder has died is removed.
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

/** Creates the lock as a hard link, so that it never exists without its content. Returns false if the lock exists. */
function link(mine, path) {
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Process id of the holder; `undefined` if the lock has been released. */
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
