import { readFileSync } from 'node:fs';
import { CliFailure, EXIT } from './exit.ts';

/** A secret, without white space around it, from the variable `name`, or from the file that `name_FILE` names. Never from the command line, where everybody sees it. */
export function secretFrom(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const given = environment[name]?.trim();
  if (given) return given;
  const file = environment[`${name}_FILE`];
  if (!file) return undefined;
  let secret: string;
  try {
    secret = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CliFailure(`${name}_FILE: ${(error as Error).message}`, EXIT.usage);
  }
  if (secret === '') throw new CliFailure(`${name}_FILE: ${file} is empty`, EXIT.usage);
  return secret;
}
