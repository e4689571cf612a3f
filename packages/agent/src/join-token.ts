import { readFileSync } from 'node:fs';

/** A token, or why there is none although a file should hold one. */
export interface JoinToken {
  readonly token?: string;
  readonly problem?: string;
}

const MAX_TOKEN_LENGTH = 4_096;

/**
 * The join token: `given`, else `ROLLCALL_JOIN_TOKEN`, else the content of the file that `ROLLCALL_JOIN_TOKEN_FILE`
 * names. Read anew for every connection, so that a rotated file is picked up. White space around a token does not count,
 * and an empty text is unset.
 */
export function joinToken(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): JoinToken {
  const file = environment['ROLLCALL_JOIN_TOKEN_FILE'];
  const direct = textOf(given) || textOf(environment['ROLLCALL_JOIN_TOKEN']);
  if (direct) return checked(direct, 'the join token');
  if (!file) return {};
  try {
    return checked(readFileSync(file, 'utf8').trim(), file);
  } catch (error) {
    return { problem: `cannot read the join token: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** The value may come from an untyped configuration: only text is a token. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

/** A token goes into a header field: one that does not fit there would make the request throw. */
function checked(token: string, where: string): JoinToken {
  if (isToken(token)) return { token };
  return { problem: `${where} is not a token: visible ASCII of at most ${MAX_TOKEN_LENGTH} characters is` };
}

/** Whether `token` fits into a header field: visible ASCII, 1 to 4,096 characters. */
export function isToken(token: string): boolean {
  return token.length <= MAX_TOKEN_LENGTH && /^[!-~]+$/.test(token);
}
