/**
 * The file with the secret of sealed cookies: the present one in the first line, the one before it in the second, so that
 * a change logs nobody out. Coordinators that serve one site share it by copying the file.
 */
import { readFileSync, statSync } from 'node:fs';

const MIN_CHARACTERS = 16;
const MAX_CHARACTERS = 1_024;
const MAX_BYTES = 8_192;

export interface StickySecrets {
  readonly current: string;
  /** `undefined` when there was none before. */
  readonly previous: string | undefined;
  /** Others than its owner may read the file. */
  readonly isReadableByOthers: boolean;
}

/** Reads and checks the file. Throws an Error that says what to do. */
export function readStickySecrets(path: string): StickySecrets {
  const { size, mode } = statSync(path);
  if (size > MAX_BYTES) throw new Error(`${path} has ${size} octets; a secret file has one or two short lines`);
  const lines = readFileSync(path, 'utf8').split(/\r?\n/);
  while (lines.at(-1) === '') lines.pop();
  const [current, previous, ...more] = lines;
  if (current === undefined || more.length > 0)
    throw new Error(
      `${path} has ${lines.length} lines: write the present secret in the first, the one before in the second`,
    );
  for (const [i, line] of lines.entries())
    if (line.length < MIN_CHARACTERS || line.length > MAX_CHARACTERS)
      throw new Error(
        `line ${i + 1} of ${path} has ${line.length} characters: a secret has ${MIN_CHARACTERS} to ${MAX_CHARACTERS}, like those of \`openssl rand -hex 32\``,
      );
  return { current, previous, isReadableByOthers: (mode & 0o077) !== 0 };
}
