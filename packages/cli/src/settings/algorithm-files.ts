/** Custom algorithms: a setting names a file, workers load it, and the setting gets the name of the algorithm. */
import { statSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import { type BalancerPatch, isName } from '@rollcall/protocol';
import { CliFailure, EXIT } from '../exit.ts';

export interface AlgorithmFiles {
  /** The settings, with names in place of files. */
  readonly balancers: readonly BalancerSettingsOption[];
  /** Absolute paths by name. */
  readonly algorithmFiles: Readonly<Record<string, string>>;
}

/** Extracts the files from `settings`. Throws a usage failure for a missing file, or a file without a valid name. */
export function withAlgorithmFiles(settings: readonly BalancerSettingsOption[]): AlgorithmFiles {
  const algorithmFiles: Record<string, string> = {};
  const nameFor = (text: string): string => {
    if (!isAlgorithmFile(text)) return text;
    const { name, file } = algorithmFile(text);
    if ((algorithmFiles[name] ?? file) !== file)
      throw new CliFailure(`algorithm ${text}: ${algorithmFiles[name]} has the same name, ${name}`, EXIT.usage);
    algorithmFiles[name] = file;
    return name;
  };
  const balancers = settings.map((setting) => ({ ...setting, patch: renamed(setting.patch, nameFor) }));
  return { balancers, algorithmFiles };
}

function renamed(patch: BalancerPatch, nameFor: (text: string) => string): BalancerPatch {
  const { algorithm, sessionAlgorithm } = patch;
  return {
    ...patch,
    ...(typeof algorithm === 'string' && { algorithm: nameFor(algorithm) }),
    ...(typeof sessionAlgorithm === 'string' && { sessionAlgorithm: nameFor(sessionAlgorithm) }),
  };
}

/** True for the path of a file: `./mine.js`, `/srv/mine.mjs`, `mine.js`. */
export function isAlgorithmFile(text: string): boolean {
  return /[/\\]|\.[cm]?js$/.test(text);
}

/** Path of the file and name of its algorithm. Throws a usage failure for a missing file or an invalid name. */
export function algorithmFile(text: string): { readonly name: string; readonly file: string } {
  const file = resolve(text);
  const name = basename(file, extname(file));
  if (!statSync(file, { throwIfNoEntry: false })?.isFile())
    throw new CliFailure(`algorithm ${text}: there is no file ${file}`, EXIT.usage);
  if (isName(name)) return { name, file };
  throw new CliFailure(
    `algorithm ${text}: its name is that of the file, and ${name} is not a valid name, [A-Za-z0-9_-]{1,64}`,
    EXIT.usage,
  );
}
