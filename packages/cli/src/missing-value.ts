import type { Command } from 'commander';

/**
 * Refuses `--flag --other`, where `--flag` needs a value: commander takes the next word for it, whatever it is. `--flag=--other` has such
 * a value.
 */
export function refuseFlagsAsValues(command: Command): void {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (words) => {
    for (let at = 0; at < words.length && words[at] !== '--'; at++) {
      const option = command.options.find((known) => [known.long, known.short].includes(words[at]!));
      if (!option?.required) continue;
      const next = words[++at];
      if (next?.startsWith('--'))
        command.error(`error: ${words[at - 1]} needs a value, and ${next} follows it`, {
          code: 'commander.optionMissingArgument',
        });
    }
    return parse(words);
  };
}
