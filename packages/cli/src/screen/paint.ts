/** Colours of a terminal. Each colour only repeats what the text states, so that the output is complete without it. */
import type { Command } from 'commander';

/** `good`: as it should be. `warn`: on purpose or temporary. `bad`: needs action. `quiet`: less important. `strong`: a heading. */
export type Tone = 'good' | 'warn' | 'bad' | 'quiet' | 'strong' | 'inverse';
/** Returns the text with the sequences that colour it, or unchanged. */
export type Paint = (tone: Tone | undefined, text: string) => string;

const CODES: Readonly<Record<Tone, readonly [on: number, off: number]>> = {
  good: [32, 39],
  warn: [33, 39],
  bad: [31, 39],
  quiet: [2, 22],
  strong: [1, 22],
  inverse: [7, 27],
};

export const plain: Paint = (_tone, text) => text;
export const coloured: Paint = (tone, text) => {
  if (tone === undefined || text === '') return text;
  const [on, off] = CODES[tone];
  return `\u001b[${on}m${text}\u001b[${off}m`;
};

export interface ColourFlags {
  /** False with `--no-color`. */
  readonly color?: boolean;
}

export function addColourFlag(command: Command): Command {
  return command.option('--no-color', 'no colours, also on a terminal (env: NO_COLOR)');
}

/** Colours are for terminals only, and not with `--no-color`, a variable NO_COLOR that is not empty, or TERM=dumb. */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  { color }: ColourFlags,
  environment: NodeJS.ProcessEnv = process.env,
): Paint {
  const isOff = color === false || Boolean(environment['NO_COLOR']) || environment['TERM'] === 'dumb';
  return stream.isTTY && !isOff ? coloured : plain;
}
