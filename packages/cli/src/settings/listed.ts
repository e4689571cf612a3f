import { existsSync } from 'node:fs';

/** The values of an option that takes several. A variable has a list as one text with commas. */
export function listed(values: readonly string[] | string): readonly string[] {
  return splitAt(values, ',');
}

/** Values that begin with `start`, like paths. Other commas are part of a value: names of files and paths may have commas. */
export function listedFrom(values: readonly string[] | string, start: RegExp): readonly string[] {
  return splitAt(values, new RegExp(`,(?=\\s*${start.source})`));
}

/** Names of files. A value that is the name of a file is not split at its commas. */
export function listedFiles(values: readonly string[] | string): readonly string[] {
  return (typeof values === 'string' ? [values] : values).flatMap((value) =>
    existsSync(value) ? [value] : listed(value),
  );
}

function splitAt(values: readonly string[] | string, separator: RegExp | string): readonly string[] {
  return (typeof values === 'string' ? [values] : values)
    .flatMap((value) => value.split(separator))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}
