/** `rollcall config show`: the effective settings of `up` and the origin of each value. */
import { printableUrl } from '@rollcall/protocol';
import { Command } from 'commander';
import { applyConfigFile } from '../config-file.ts';
import { table } from '../format.ts';
import { startSettings } from '../settings/start-settings.ts';
import { parsedUp } from './up.ts';

const SOURCES: Readonly<Record<string, string>> = {
  cli: 'flag',
  env: 'environment',
  config: 'file',
  default: 'default',
};

export function configCommand(): Command {
  return new Command('config')
    .description('effective settings of rollcall up')
    .addCommand(
      new Command('show')
        .description('print the options of up and the settings of balancers')
        .usage("[options] [-- UP'S OPTIONS]")
        .argument('[flags...]', 'options of up, after --')
        .option('--origin', 'also print the origin of each value')
        .option('--json', 'machine-readable output')
        .action(show),
    );
}

function show(given: readonly string[], flags: { readonly origin?: boolean; readonly json?: boolean }): void {
  const up = parsedUp(given);
  const { path, balancers } = applyConfigFile(up);
  const settings = startSettings(up, balancers, path);
  const options = up.options
    .filter(({ long }) => long !== '--config' && long !== '--json')
    .map((option) => {
      const value: unknown = up.getOptionValue(option.attributeName());
      const source = SOURCES[up.getOptionValueSource(option.attributeName()) ?? 'default'] ?? 'default';
      return { option: option.long!.slice(2), value: withoutSecrets(value ?? null), origin: source };
    });
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ options, balancers: settings })}\n`);
    return;
  }
  const rows = options.map(({ option, value, origin }) => [option, shown(value), ...(flags.origin ? [origin] : [])]);
  process.stdout.write(`${table(['OPTION', 'VALUE', ...(flags.origin ? ['FROM'] : [])], rows)}\n`);
  for (const { name, source, patch } of settings)
    process.stdout.write(`balancer ${name}: ${JSON.stringify(patch)}${flags.origin ? ` (${source})` : ''}\n`);
}

/** Values are paths, numbers and addresses; only addresses like `redis://user:password@host` contain secrets. */
function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  return typeof value === 'string' && value.includes('://') ? printableUrl(value) : value;
}

/** A dash if the option is not set; the help has the default. */
function shown(value: unknown): string {
  return value === null ? '-' : Array.isArray(value) ? value.join(',') : String(value);
}
