import { readFileSync } from 'node:fs';

/** A token, or why there is none although a file should hold one. */
export interface JoinToken {
  readonly token?: string;
  readonly problem?: string;
}

const MAX_TOKEN_LENGTH = 4_096;

/**
 * The join token: `given`, else `ROLLCALL_JOIN_TOKEN`, else the content of the file that `ROLLCALL_JOIN_TOKEN_FILE`
 * names. Read anew for every connection, so that a rotated file is picked up. An empty text is unset.
 */
export function joinToken(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): JoinToken {
  const file = environment['ROLLCALL_JOIN_TOKEN_FILE'];
  const direct = given || environment['ROLLCALL_JOIN_TOKEN'];
  if (direct) return checked(direct, 'the join token');
  if (!file) return {};
  try {
    return checked(readFileSync(file, 'utf8').trim(), file);
  } catch (error) {
    return { problem: `cannot read the join token: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** A token goes into a header field: one that does not fit there would make the request throw. */
function checked(token: string, where: string): JoinToken {
  if (token.length <= MAX_TOKEN_LENGTH && /^[!-~]+$/.test(token)) return { token };
  return { problem: `${where} is not a token: visible ASCII of at most ${MAX_TOKEN_LENGTH} characters is` };
}
