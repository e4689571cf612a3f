/** Another revision of this clone, checked out and compiled in the workplace. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError } from '../bench-error.ts';
import { outputOf } from '../system/programs.ts';
import type { Workplace } from '../system/workplace.ts';

const BUILD_MS = 300_000;
const SCOPE = '@rollcall';

export interface Revision {
  /** The given name, with the hash if it differs. */
  readonly title: string;
  /** Root of the compiled clone. */
  readonly root: string;
  /** Removes the checked-out files. Never throws. */
  remove(): void;
}

/** The hash of a revision. Throws a BenchError if it does not exist. */
export function resolveRevision(root: string, name: string): string {
  const found = outputOf('git', ['rev-parse', '--verify', '--quiet', `${name}^{commit}`], root).trim();
  if (!/^[0-9a-f]{40,64}$/.test(found))
    throw new BenchError(`there is no revision ${name} here: \`git log --oneline\` lists revisions`);
  return found;
}

/** Checks a revision out into the workplace and compiles it, with the dependencies of its own lock file. */
export async function checkOut(
  workplace: Workplace,
  root: string,
  name: string,
  say: (line: string) => void,
): Promise<Revision> {
  const hash = resolveRevision(root, name);
  const directory = workplace.path(`revision-${hash.slice(0, 12)}-${Math.trunc(performance.now())}`);
  const reported = outputOf('git', ['worktree', 'add', '--detach', '--force', directory, hash], root);
  if (!existsSync(join(directory, 'package.json')))
    throw new BenchError(`${name} cannot be checked out: ${reported.trim()}`);
  const revision: Revision = {
    title: hash.startsWith(name) ? name : `${name} (${hash.slice(0, 7)})`,
    root: directory,
    remove: () => void outputOf('git', ['worktree', 'remove', '--force', '--force', directory], root),
  };
  try {
    if (lockFile(root) === lockFile(directory)) linkDependencies(root, directory);
    else {
      say(`${name} has other dependencies: installing them`);
      await runToEnd(workplace, 'npm', npmInstall(root), directory);
    }
    say(`compiling ${revision.title}`);
    const compiler = join(directory, 'node_modules', 'typescript', 'bin', 'tsc');
    await runToEnd(workplace, 'compiler', [process.execPath, compiler, '-b'], directory);
    return revision;
  } catch (error) {
    revision.remove();
    throw error;
  }
}

function lockFile(root: string): string {
  return readFileSync(join(root, 'package-lock.json'), 'utf8');
}

/**
 * Links the dependencies from the registry of this clone, and the workspace packages of the other one. The links of npm are relative,
 * so the folder of the workspace packages is created again, and all others are linked as a whole.
 */
function linkDependencies(root: string, directory: string): void {
  const [from, to] = [join(root, 'node_modules'), join(directory, 'node_modules')];
  mkdirSync(join(to, SCOPE), { recursive: true });
  for (const name of readdirSync(from)) if (name !== SCOPE) symlinkSync(join(from, name), join(to, name));
  for (const name of readdirSync(join(directory, 'packages'))) {
    const home = join(directory, 'packages', name);
    if (!existsSync(join(home, 'package.json'))) continue;
    symlinkSync(home, join(to, SCOPE, name));
    const own = join(root, 'packages', name, 'node_modules');
    if (existsSync(own)) symlinkSync(own, join(home, 'node_modules'));
  }
}

/** As the set-up of a clone installs: `npm ci` refuses a lock file that lacks another platform's binaries. */
function npmInstall(root: string): readonly string[] {
  const npm = process.env['npm_execpath'];
  const words = 'install --no-save --include=dev --ignore-scripts --no-audit --no-fund --prefer-offline'.split(' ');
  const cache = `--cache=${join(root, '.rollcall-setup', 'npm-cache')}`;
  return [...(npm?.endsWith('npm-cli.js') ? [process.execPath, npm] : ['npm']), ...words, cache];
}

async function runToEnd(
  workplace: Workplace,
  name: string,
  command: readonly string[],
  directory: string,
): Promise<void> {
  const running = await workplace.start(name, command, { cpus: [], directory });
  try {
    await workplace.until(async () => running.hasEnded, running, 'it did not come to its end', BUILD_MS);
    if (running.child.exitCode !== 0) throw new BenchError(`${await running.ended}:\n${running.log()}`);
  } finally {
    await workplace.end(running);
  }
}
