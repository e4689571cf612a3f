/**
 * Packs what leaves the clone: `pack.mjs [FOLDER]` writes one tarball of the command and one of the agent to FOLDER
 * (default: `dist` at the top). Our own packages travel inside, whatever comes from the registry is declared, so that
 * `npm install ./rollcall-cli-….tgz` works in any folder. Expects everything compiled.
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

const PACKED = ['cli', 'agent'];
const SCOPE = '@rollcall/';
/** What tests want of a package. */
const FOR_TESTS = /(?:^|\/)testing\/|\.(?:test|fixture)\.(?:js|d\.ts)$/;

const target = resolve(process.env.INIT_CWD ?? ROOT, process.argv[2] ?? join(ROOT, 'dist'));
const stages = mkdtempSync(join(tmpdir(), 'rollcall-pack-'));
try {
  mkdirSync(target, { recursive: true });
  for (const name of PACKED) console.log(pack(name));
} finally {
  rmSync(stages, { recursive: true, force: true });
}

/** Lays one package out as it will be installed, and has npm pack it. Returns the tarball's path. */
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
    writeManifest(folder, published(manifestOf(bundled)));
  }
  writeManifest(stage, {
    ...published(manifest),
    dependencies: { ...foreignOf([name, ...ours]), ...versionsOf(ours) },
    bundleDependencies: ours.map((bundled) => SCOPE + bundled),
  });
  const [program, ...args] = npmCommand(['pack', stage, '--json', '--ignore-scripts', `--pack-destination=${target}`]);
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: stage, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm could not pack ${name}:\n${stderr}`);
  // An array up to npm 11, then an object by name.
  const [{ filename }] = Object.values(JSON.parse(stdout));
  return join(target, filename);
}

/** Names of all our packages that `name` depends on, however far down, sorted. */
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

/** Everything that some packages of ours want from the registry, sorted. They have to want the same. */
function foreignOf(names) {
  const wanted = new Map();
  for (const name of names)
    for (const [dependency, range] of Object.entries(manifestOf(name).dependencies ?? {})) {
      if (dependency.startsWith(SCOPE)) continue;
      const known = wanted.get(dependency) ?? range;
      if (known !== range) throw new Error(`${name} wants ${dependency} ${range}, another package wants ${known}`);
      wanted.set(dependency, range);
    }
  return Object.fromEntries([...wanted].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** A manifest without what only the clone can follow: the way to the sources, and what is for tests. */
function published({ devDependencies: _, ...manifest }) {
  const doors = Object.entries(manifest.exports).filter(([door]) => door !== './testing');
  const withoutSources = ({ [`${SCOPE}source`]: __, ...conditions }) => conditions;
  return { ...manifest, exports: Object.fromEntries(doors.map(([door, ways]) => [door, withoutSources(ways)])) };
}

function copyPackage(name, stage) {
  const from = join(ROOT, 'packages', name);
  for (const folder of manifestOf(name).files)
    for (const path of filesIn(join(from, folder)).map((file) => relative(from, file)))
      if (folder !== 'dist' || isWanted(from, path)) copy(join(from, path), join(stage, path));
}

/**
 * A compiled file whose source is still there and is not for tests. The compiler leaves what it made of deleted ones.
 * `dist/cjs` has a package.json of its own.
 */
function isWanted(from, path) {
  if (path === 'dist/cjs/package.json') return true;
  if (!/\.(?:js|d\.ts)$/.test(path) || FOR_TESTS.test(path)) return false;
  return existsSync(join(from, path.replace(/^dist(?:\/cjs)?/, 'src').replace(/\.(?:js|d\.ts)$/, '.ts')));
}

/** Compiled files go without the line that names their source map. */
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
