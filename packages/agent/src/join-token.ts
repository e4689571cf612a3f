import { readFileSync } from 'node:fs';
import { emptySecretText } from '@rollcall/protocol';

/** A token, or the problem if an option, a variable or a file should contain one. */
export interface JoinToken {
  readonly token?: string;
  readonly problem?: string;
}

const MAX_TOKEN_LENGTH = 4_096;
const WITHOUT = 'the node registers without a token';

/**
 * Returns the join token: `given`, else `ROLLCALL_JOIN_TOKEN`, else the content of the file `ROLLCALL_JOIN_TOKEN_FILE`.
 * Called for each connection, so that a rotated file is used. White space around a token is removed. An empty text is unset;
 * it is a problem if no other source has a token.
 */
export function joinToken(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): JoinToken {
  const file = environment['ROLLCALL_JOIN_TOKEN_FILE'];
  const direct = textOf(given) || textOf(environment['ROLLCALL_JOIN_TOKEN']);
  if (direct) return checked(direct, 'the join token');
  if (!file) {
    const isEmpty = typeof given === 'string';
    const problem = isEmpty
      ? `the option token is empty: ${WITHOUT}`
      : emptySecretText('ROLLCALL_JOIN_TOKEN', environment, WITHOUT);
    return problem === undefined ? {} : { problem };
  }
  try {
    return checked(readFileSync(file, 'utf8').trim(), file);
  } catch (error) {
    return { problem: `cannot read the join token: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** The value may come from an untyped configuration: values that are not text are ignored. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

/** A token is sent in a header field, for which an invalid value would make the request throw. */
function checked(token: string, where: string): JoinToken {
  if (isToken(token)) return { token };
  if (token === '') return { problem: `${where} is empty: ${WITHOUT}` };
  return { problem: `${where} is not a token: visible ASCII of at most ${MAX_TOKEN_LENGTH} characters is` };
}

/** Whether `token` is valid in a header field: visible ASCII, 1 to 4,096 characters. */
export function isToken(token: string): boolean {
  return token.length <= MAX_TOKEN_LENGTH && /^[!-~]+$/.test(token);
}
