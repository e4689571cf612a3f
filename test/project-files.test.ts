/** Checks the files at the top: the lock file installs on every platform, and the change log matches the version. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly os?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
/** Packages of a lock file by their folder. */
type Locked = Readonly<Record<string, LockedPackage>>;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly engines?: { readonly node: string };
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const locked = (): Locked => (JSON.parse(read('package-lock.json')) as { packages: Locked }).packages;
const manifestOf = (folder: string): Manifest => JSON.parse(read(`${folder}/package.json`)) as Manifest;
const MEMBERS = ['test', ...readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}`)].filter(
  (folder) => folder !== 'packages/Dockerfile',
);

/** Optional dependencies of `packages`: their number, and the dependencies that are not locked in any folder where Node looks. */
function optionalDependencies(packages: Locked): { readonly found: number; readonly missing: readonly string[] } {
  const missing: string[] = [];
  let found = 0;
  for (const [folder, { optionalDependencies: optional = {} }] of Object.entries(packages))
    for (const [name, version] of Object.entries(optional)) {
      found++;
      if (!lookUp(packages, folder, name)) missing.push(`${name}@${version} of ${folder}`);
    }
  return { found, missing };
}

/** As Node resolves: in `folder` itself, then in each folder above it. */
function lookUp(packages: Locked, folder: string, name: string): LockedPackage | undefined {
  for (let from = folder; ; from = from.replace(/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+$|(?:^|\/)[^/]+$/, '')) {
    const entry = packages[join(from, 'node_modules', name)];
    if (entry !== undefined || from === '') return entry;
  }
}

test('the lock file has the optional packages of all platforms, not only of the machine that wrote it', () => {
  const { found, missing } = optionalDependencies(locked());
  assert.deepEqual(missing, []);
  assert.ok(found >= 40, `${found} optional dependencies`);
  const platforms = new Set(Object.values(locked()).flatMap(({ os = [] }) => os));
  for (const platform of ['linux', 'darwin', 'win32']) assert.ok(platforms.has(platform), platform);
});

test('a platform that the lock file lacks is found', () => {
  const { 'node_modules/@biomejs/cli-darwin-arm64': dropped, ...others } = locked();
  assert.ok(dropped);
  assert.deepEqual(optionalDependencies(others).missing, [
    `@biomejs/cli-darwin-arm64@${dropped.version} of node_modules/@biomejs/biome`,
  ]);
  const nested: Locked = {
    'packages/a/node_modules/b': { optionalDependencies: { c: '1.0.0', d: '1.0.0', e: '1.0.0' } },
    'packages/a/node_modules/c': {},
    'node_modules/d': {},
    'node_modules/x/node_modules/e': {},
  };
  assert.deepEqual(optionalDependencies(nested), { found: 3, missing: ['e@1.0.0 of packages/a/node_modules/b'] });
});

test('the lock file has a digest for each package and names no registry', () => {
  const foreign = Object.entries(locked()).filter(
    ([folder, { link }]) => /(?:^|\/)node_modules\//.test(folder) && !link,
  );
  assert.ok(foreign.length >= 200, `${foreign.length} packages`);
  for (const [folder, { integrity, resolved }] of foreign) {
    assert.match(integrity ?? '', /^sha512-/, folder);
    assert.equal(resolved, undefined, folder);
  }
});

test('all packages have one version, which has a section in the change log below Unreleased', () => {
  const versions = new Set(MEMBERS.map((folder) => manifestOf(folder).version));
  assert.equal(versions.size, 1, [...versions].join(', '));
  const [version] = versions;
  assert.match(read('packages/cli/src/version.ts'), new RegExp(`VERSION = '${version}'`));
  const sections = read('CHANGELOG.md').match(/^## .*$/gm) ?? [];
  assert.equal(sections[0], '## Unreleased');
  assert.match(sections[1] ?? '', new RegExp(`^## ${version} - \\d{4}-\\d{2}-\\d{2}$`));
});

test('the command and the SDK are published, and nothing else', () => {
  const published = MEMBERS.map(manifestOf).filter((manifest) => !manifest.private);
  assert.deepEqual(published.map(({ name }) => name).sort(), ['@rollcall/agent', '@rollcall/cli']);
});

test('CI runs the oldest Node that the packages support, and the newest', () => {
  const { engines } = JSON.parse(read('package.json')) as Manifest;
  assert.deepEqual(
    [...new Set(MEMBERS.map((folder) => manifestOf(folder).engines?.node ?? engines!.node))],
    ['>=20.19'],
  );
  const [, versions = ''] = /^ +node: \[(.*)\]$/m.exec(read('.github/workflows/ci.yml')) ?? [];
  const tested = versions.split(', ').map((version) => version.replaceAll('"', ''));
  assert.deepEqual(tested, ['20.19.0', '22', '24', 'current']);
});
