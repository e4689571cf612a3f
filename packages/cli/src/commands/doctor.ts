/** `rollcall doctor`: checks the coordinator, the cluster and this machine, with one line each. */
import { Command } from 'commander';
import type { Check } from '../doctor/check.ts';
import { examine } from '../doctor/examination.ts';
import { EXIT } from '../exit.ts';
import { counted } from '../format.ts';
import { addColourFlag, type ColourFlags, type Paint, paintFor } from '../screen/paint.ts';
import { printableText } from '../screen/text-width.ts';
import { addReaderFlags, clientFor, printJson, type ReaderFlags } from './reader-flags.ts';

const HELP = `
Checks: the coordinator, the role of the token, clocks, the proxy, workers, versions, stores, certificates, the state directory, nodes as the
workers reach them, sticky sessions, the other problems of rollcall status, and the limits of this machine. Nothing is changed.

Exit code 0, or 5 with problems.
`;

const TONES = { ok: 'good', note: 'warn', problem: 'bad' } as const;

export function doctorCommand(): Command {
  const command = addReaderFlags(new Command('doctor').description('check the installation, and what to do'));
  return addColourFlag(command)
    .addHelpText('after', HELP)
    .action(async (flags: ReaderFlags & ColourFlags) => {
      const checks = await examine(() => clientFor(flags));
      if (flags.json) printJson({ checks });
      else process.stdout.write(doctorText(checks, paintFor(process.stdout, flags)));
      if (checks.some(({ state }) => state === 'problem')) process.exitCode = EXIT.problems;
    });
}

/** A line per check, and one for what to do. */
export function doctorText(checks: readonly Check[], paint: Paint): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, state, text, remedy }) => [
    `${paint(TONES[state], state.padEnd('problem'.length))}  ${name.padEnd(width)}  ${printableText(text)}`,
    ...(remedy === undefined ? [] : [`${' '.repeat('problem'.length + width + 4)}to do: ${printableText(remedy)}`]),
  ]);
  const problems = checks.filter(({ state }) => state === 'problem').length;
  return `${[...lines, problems === 0 ? 'no problems' : counted(problems, 'problem')].join('\n')}\n`;
}
