/** Checks `rollcall` commands in pages and set-ups against the command itself, without running them. */
import { execFile } from 'node:child_process';
import { ROLLCALL } from '../site/commands.ts';

interface Outcome {
  readonly code: number;
  readonly output: string;
}

const helps = new Map<string, Promise<string>>();

/** Words of a shell command up to its first `|`, without quotes. Lines that end in `\` have been joined before. */
export function wordsOf(text: string): readonly string[] {
  const words = [...text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) => word.replaceAll(/["']/g, ''));
  return words.includes('|') ? words.slice(0, words.indexOf('|')) : words;
}

/** The words after `rollcall` of a command like `A=b npx rollcall up --json`; `undefined` for other programs. */
export function rollcallWords(text: string): readonly string[] | undefined {
  const [, command] = /^(?:[A-Z_]+=\S+ )*(?:npx )?rollcall (.*)$/.exec(text) ?? [];
  return command === undefined ? undefined : wordsOf(command);
}

/**
 * What is wrong with a command, as sentences; empty when it can be. `words` begin after `rollcall`. Names of verbs, flags and
 * settings are compared with the help of the command. Values of `up` are checked by `config show`.
 */
export async function mistakesIn(words: readonly string[]): Promise<readonly string[]> {
  const [verb = '', ...rest] = words;
  const help = await helpOf(verb);
  if (!help.startsWith(`Usage: rollcall ${verb} `)) return [`there is no command ${verb}`];
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  const mistakes = own
    .filter((word) => word.startsWith('--'))
    .map((word) => word.split('=', 1)[0]!)
    .filter((flag) => !lists(help, flag))
    .map((flag) => `${verb} has no option ${flag}`);
  if (verb === 'run' && !rest.includes('--')) mistakes.push('run has no program after --');
  if (verb === 'balancer') mistakes.push(...unknownSettings(own, help));
  if (verb === 'up' && mistakes.length === 0) {
    const { code, output } = await run('config', 'show', '--', ...rest);
    if (code !== 0) mistakes.push(output.trim());
  }
  return mistakes;
}

/** Whether one of `verbs` has the option `flag`. */
export async function isOptionOf(verbs: readonly string[], flag: string): Promise<boolean> {
  for (const verb of verbs) if (lists(await helpOf(verb), flag)) return true;
  return false;
}

/** Errors of `config show` for a settings file; empty when it is valid. */
export async function mistakesInSettings(file: string): Promise<readonly string[]> {
  const { code, output } = await run('config', 'show', '--', '--config', file);
  return code === 0 ? [] : [output.trim()];
}

function lists(help: string, flag: string): boolean {
  return new RegExp(`^  (?:-\\w, )?${flag}(?![\\w-])`, 'm').test(help);
}

function unknownSettings([, action, ...settings]: readonly string[], help: string): readonly string[] {
  if (action !== 'set' && action !== 'unset') return [];
  return settings
    .slice(0, settings.findIndex((word) => word.startsWith('--')) >>> 0)
    .map((word) => word.split('=', 1)[0]!)
    .filter((key) => !new RegExp(`^  ${key}  `, 'm').test(help))
    .map((key) => `there is no setting ${key}`);
}

function helpOf(verb: string): Promise<string> {
  const known = helps.get(verb);
  if (known !== undefined) return known;
  const help = run(verb, '--help').then(({ output }) => output);
  helps.set(verb, help);
  return help;
}

function run(...words: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ROLLCALL, ...words], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr }),
    );
  });
}
