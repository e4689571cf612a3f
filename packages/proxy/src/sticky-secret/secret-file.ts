/**
 * The file with the secret of sealed cookies: the present secret in the first line, the previous one in the second. A change
 * therefore ends no session. Coordinators that serve one site share the file by copying it.
 */
import { readFileSync, statSync } from 'node:fs';

const MIN_CHARACTERS = 16;
const MAX_CHARACTERS = 1_024;
const MAX_BYTES = 8_192;

export interface StickySecrets {
  readonly current: string;
  /** `undefined` without a previous secret. */
  readonly previous: string | undefined;
  /** Users other than its owner may read the file. */
  readonly isReadableByOthers: boolean;
}

/** Reads and validates the file. Throws an Error with the remedy. */
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
