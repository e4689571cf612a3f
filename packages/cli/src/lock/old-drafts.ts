/** Removes drafts of processes that were killed between writing and renaming a draft. */
import { readdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** A draft exists for milliseconds; the process of a draft of this age is gone. */
const OLD_MS = 60_000;

/** Removes the files in `directory` that match `names` and are old. Never throws. */
export function removeOldDrafts(directory: string, names: RegExp): void {
  try {
    for (const name of readdirSync(directory).filter((file) => names.test(file))) {
      const path = join(directory, name);
      if (Date.now() - statSync(path).mtimeMs > OLD_MS) unlinkSync(path);
    }
  } catch {
    // Missing, read-only, or removed by another process: remaining drafts are harmless.
  }
}
