/**
 * Builds of earlier commits of this repository, for drills with processes of two releases. A build has the sources of its commit and the
 * installed packages of this checkout. It is kept in `.rollcall-setup/builds`, because a commit does not change.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
const BUILDS = join(CHECKOUT, '.rollcall-setup', 'builds');

/** A commit, and the projects of it that are compiled. */
export interface EarlierBuild {
  readonly commit: string;
  readonly projects: readonly string[];
}

export const EARLIER = {
  /** The first one with drills of two coordinators: store layout 2 is complete. */
  release: { commit: 'cffbcd35a7113b244a629cf61e131bee4c47cc63', projects: ['packages/cli'] },
  /** The last one whose agents hold one connection, as those of 0.1.0. */
  agent: { commit: '44272792512af6a064bafe588c93d5051b259a45', projects: ['packages/agent'] },
} as const satisfies Record<string, EarlierBuild>;
export type EarlierName = keyof typeof EARLIER;

/** Reason why earlier commits cannot be built here, and the remedy; `undefined` if they can. */
export async function missingForEarlierBuilds(): Promise<string | undefined> {
  for (const { commit } of Object.values(EARLIER))
    try {
      await run('git', ['-C', CHECKOUT, 'cat-file', '-e', `${commit}^{commit}`]);
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      const cause = code === 'ENOENT' ? 'git is missing' : (stderr?.trim().split('\n')[0] ?? String(error));
      return (
        `commit ${commit.slice(0, 7)} of an earlier release is not in this checkout (${cause}); ` +
        'run in a clone with its whole history: git fetch --unshallow'
      );
    }
  return undefined;
}

const building = new Map<string, Promise<string>>();

/** The root of a built commit. It is built once. */
export function earlierBuild(build: EarlierBuild): Promise<string> {
  const { commit } = build;
  const known = building.get(commit) ?? make(build);
  building.set(commit, known);
  return known;
}

async function make({ commit, projects }: EarlierBuild): Promise<string> {
  const root = join(BUILDS, commit);
  if (existsSync(root)) return root;
  mkdirSync(BUILDS, { recursive: true });
  const draft = mkdtempSync(join(BUILDS, 'draft-'));
  try {
    const archive = join(draft, 'sources.tar');
    await run('git', [
      '-C',
      CHECKOUT,
      'archive',
      '--output',
      archive,
      commit,
      'packages',
      'package.json',
      'tsconfig.json',
    ]);
    await run('tar', ['-xf', archive, '-C', draft]);
    rmSync(archive);
    linkPackages(draft);
    await run(process.execPath, [join(CHECKOUT, 'node_modules/typescript/bin/tsc'), '-b', ...projects], { cwd: draft });
    move(draft, root);
    return root;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Another process may have built the same commit: then its build stays. */
function move(draft: string, root: string): void {
  try {
    renameSync(draft, root);
  } catch (error) {
    if (!existsSync(root)) throw error;
  }
}

/** Installed packages are those of this checkout, and the packages of the workspace those of the build. */
function linkPackages(root: string): void {
  const installed = join(CHECKOUT, 'node_modules');
  const own = join(root, 'node_modules');
  mkdirSync(join(own, '@rollcall'), { recursive: true });
  for (const name of readdirSync(installed))
    if (name !== '@rollcall' && !name.startsWith('.')) symlinkSync(join(installed, name), join(own, name));
  for (const folder of readdirSync(join(root, 'packages'))) {
    const manifest = join(root, 'packages', folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name: string };
    // A relative link, because the build is moved to its place.
    if (name.startsWith('@rollcall/')) symlinkSync(join('../../packages', folder), join(own, name));
  }
}
