import type { Command } from 'commander';

/** The remedy for an option that `command` does not have, after `; `, or an empty text. `text` is the error of commander. */
export function unknownOptionAdvice(command: Command, text: string): string {
  const [, option] = /unknown option '([^']*)'/.exec(text) ?? [];
  if (option === undefined) return '';
  const [first = '-'] = command.args;
  if (command.name() === 'run' && !first.startsWith('-'))
    return `; put -- before the program: rollcall run [options] -- ${first} …`;
  if (command.name() === 'up' && /^--port(=|$)/.test(option)) return '; use --proxy HOST:PORT';
  return '';
}
