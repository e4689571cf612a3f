import { readFileSync } from 'node:fs';
import { emptySecretText } from '@rollcall/protocol';
import { CliFailure, EXIT } from './exit.ts';

/** Variables of the tokens of a cluster; each has a form `…_FILE`. */
export const TOKEN_VARIABLES: readonly string[] = ['ROLLCALL_ADMIN_TOKEN', 'ROLLCALL_JOIN_TOKEN'].flatMap((name) => [
  name,
  `${name}_FILE`,
]);

/** The consequence of a missing secret, and the receiver of the warning about an empty variable. */
export interface IfEmpty {
  readonly consequence: string;
  readonly warn: (line: string) => void;
}

/**
 * A secret, without white space around it, from the variable `name`, or from the file that `name_FILE` names. Never from the
 * command line, which all users can read. A variable that is set but empty counts as unset, with a warning.
 */
export function secretFrom(
  name: string,
  environment: NodeJS.ProcessEnv,
  { consequence, warn }: IfEmpty,
): string | undefined {
  const given = environment[name]?.trim();
  if (given) return given;
  const file = environment[`${name}_FILE`]?.trim();
  if (!file) {
    const problem = emptySecretText(name, environment, consequence);
    if (problem !== undefined) warn(problem);
    return undefined;
  }
  let secret: string;
  try {
    secret = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CliFailure(`${name}_FILE: ${(error as Error).message}`, EXIT.usage);
  }
  if (secret === '') throw new CliFailure(`${name}_FILE: ${file} is empty`, EXIT.usage);
  return secret;
}
