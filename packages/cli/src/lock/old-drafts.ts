/** Drafts that a process leaves when it is killed between writing one and renaming it. */
import { readdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** A draft is there for milliseconds; one as old as this has no process any more. */
const OLD_MS = 60_000;

/** Removes the files in `directory` that match `names` and are old. Never throws. */
export function removeOldDrafts(directory: string, names: RegExp): void {
  try {
    for (const name of readdirSync(directory).filter((file) => names.test(file))) {
      const path = join(directory, name);
      if (Date.now() - statSync(path).mtimeMs > OLD_MS) unlinkSync(path);
    }
  } catch {
    // Not there, read-only, or removed by another process: they do no harm.
  }
}
