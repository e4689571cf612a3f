/**
 * Packs the public packages: `pack.mjs [FOLDER]` writes one tarball per package to FOLDER (default: `dist` at the top). The workspace
 * must be compiled.
 *
 * A tarball contains the workspace packages on which the package depends, and declares dependencies from the registry. Therefore
 * `npm install ./rollcall-cli-….tgz` works in any folder.
 *
 * GITHUB_SERVER_URL and GITHUB_REPOSITORY, which GitHub sets, become the field `repository`. npm compares it with the provenance of a
 * release.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { npmCommand, ROOT } from './workspace.mjs';

const SCOPE = '@rollcall/';
/** Files of a package that only tests use. */
const FOR_TESTS = /(?:^|\/)testing\/|\.(?:test|fixture)\.(?:js|d\.ts)$/;

const target = resolve(process.env.INIT_CWD ?? ROOT, process.argv[2] ?? join(ROOT, 'dist'));
const stages = mkdtempSync(join(tmpdir(), 'rollcall-pack-'));
try {
  mkdirSync(target, { recursive: true });
  for (const name of publicPackages()) console.log(pack(name));
} finally {
  rmSync(stages, { recursive: true, force: true });
}

function publicPackages() {
  const folders = readdirSync(join(ROOT, 'packages'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => name).filter((name) => !manifestOf(name).private);
}

/** Copies one package in the layout of its tarball and runs `npm pack`. Returns the path of the tarball. */
function pack(name) {
  const stage = join(stages, name);
  const manifest = manifestOf(name);
  const ours = oursBelow(name);
  copyPackage(name, stage);
  for (const file of ['LICENSE', `packages/${name}/README.md`])
    copy(join(ROOT, file), join(stage, file.split('/').at(-1)));
  for (const bundled of ours) {
    const folder = join(stage, 'node_modules', SCOPE + bundled);
    copyPackage(bundled, folder);
    // Without dependencies from the registry: npm would treat them as bundled and leave their folders empty where it installs them
    // below the package (`npm install --global`).
    writeManifest(folder, { ...published(manifestOf(bundled)), dependencies: versionsOf(oursBelow(bundled)) });
  }
  writeManifest(stage, {
    ...published(manifest),
    ...repositoryOf(name),
    dependencies: { ...foreignOf([name, ...ours]), ...versionsOf(ours) },
    bundleDependencies: ours.map((bundled) => SCOPE + bundled),
  });
  const [program, ...args] = npmCommand(['pack', stage, '--json', '--ignore-scripts', `--pack-destination=${target}`]);
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: stage, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm could not pack ${name}:\n${stderr}`);
  // npm prints an array up to version 11, and an object by name in later versions.
  const [{ filename }] = Object.values(JSON.parse(stdout));
  return join(target, filename);
}

/** Names of the workspace packages on which `name` depends, directly or indirectly, sorted. */
function oursBelow(name, found = new Set()) {
  for (const dependency of Object.keys(manifestOf(name).dependencies ?? {})) {
    const ours = dependency.startsWith(SCOPE) ? dependency.slice(SCOPE.length) : undefined;
    if (ours === undefined || found.has(ours)) continue;
    found.add(ours);
    oursBelow(ours, found);
  }
  return [...found].sort();
}

function versionsOf(names) {
  return Object.fromEntries(names.map((name) => [SCOPE + name, manifestOf(name).version]));
}

/** Dependencies of these packages from the registry, sorted. Throws if two packages declare different versions. */
function foreignOf(names) {
  const wanted = new Map();
  for (const name of names)
    for (const [dependency, range] of Object.entries(manifestOf(name).dependencies ?? {})) {
      if (dependency.startsWith(SCOPE)) continue;
      const known = wanted.get(dependency) ?? range;
      if (known !== range) throw new Error(`${name} depends on ${dependency} ${range}, another package on ${known}`);
      wanted.set(dependency, range);
    }
  return Object.fromEntries([...wanted].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** A manifest without the fields that need the clone: paths of sources and test helpers. */
function published({ devDependencies: _, ...manifest }) {
  const doors = Object.entries(manifest.exports).filter(([door]) => door !== './testing');
  const withoutSources = ({ [`${SCOPE}source`]: __, ...conditions }) => conditions;
  return { ...manifest, exports: Object.fromEntries(doors.map(([door, ways]) => [door, withoutSources(ways)])) };
}

function repositoryOf(name) {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: path } = process.env;
  if (!server || !path) return {};
  return { repository: { type: 'git', url: `git+${server}/${path}.git`, directory: `packages/${name}` } };
}

function copyPackage(name, stage) {
  const from = join(ROOT, 'packages', name);
  for (const folder of manifestOf(name).files)
    for (const path of filesIn(join(from, folder)).map((file) => relative(from, file)))
      if (folder !== 'dist' || isWanted(from, path)) copy(join(from, path), join(stage, path));
}

/**
 * Whether a file of `dist` is packed: a compiled file that is not for tests and whose source exists. The compiler does not delete the
 * output of deleted sources. `dist/cjs/package.json` and the bundled page are packed too.
 */
function isWanted(from, path) {
  if (path === 'dist/cjs/package.json' || /^dist\/page\/(?:(?:app|login)\.js|page\.css)$/.test(path)) return true;
  if (!/\.(?:js|d\.ts)$/.test(path) || FOR_TESTS.test(path)) return false;
  return existsSync(join(from, path.replace(/^dist(?:\/cjs)?/, 'src').replace(/\.(?:js|d\.ts)$/, '.ts')));
}

/** Copies a file. Compiled files lose the line that names their source map. */
function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  if (/\.(?:js|ts)$/.test(from))
    writeFileSync(to, readFileSync(from, 'utf8').replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n'));
  else copyFileSync(from, to);
}

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function manifestOf(name) {
  return JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8'));
}

function writeManifest(folder, manifest) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}
