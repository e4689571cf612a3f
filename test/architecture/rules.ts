/** The dependency rules of the workspace, as a pure check of paths and texts. */
import { cyclesThrough } from './cycles.ts';

/** Which packages of ours each package may depend on, and which of the registry's. A list that is absent does not limit. */
interface PackageRule {
  readonly ours: readonly string[];
  readonly foreign?: readonly string[];
  /** Development dependencies that the build puts into the compiled package, and the one source, or folder, that imports each. */
  readonly inlined?: Readonly<Record<string, string>>;
  /** No Node, no time, no chance, no output: the same input always gives the same result. */
  readonly isPure?: boolean;
  /** Not a part of the product: may use what packages have for tests. */
  readonly measures?: boolean;
  /** Pages only: no `src`, no front door, no dependency. */
  readonly isText?: boolean;
}

export const PACKAGE_RULES: Readonly<Record<string, PackageRule>> = {
  protocol: { ours: [], foreign: [], isPure: true },
  'admin-client': { ours: ['protocol'], foreign: [] },
  feed: { ours: ['protocol'], foreign: [], isPure: true },
  core: { ours: ['feed', 'protocol'], foreign: [], isPure: true },
  mcmp: { ours: ['core', 'protocol'], foreign: [] },
  'store-redis': { ours: ['core', 'protocol'], foreign: ['ioredis'] },
  logging: { ours: [], foreign: ['pino'] },
  proxy: { ours: ['core', 'feed', 'logging', 'protocol'], foreign: ['ws'] },
  agent: { ours: ['protocol'], foreign: [], inlined: { ws: 'src/websocket.ts' } },
  dashboard: {
    ours: ['admin-client', 'protocol'],
    foreign: [],
    inlined: { preact: 'src/app/', '@preact/signals': 'src/app/' },
  },
  coordinator: { ours: ['core', 'feed', 'mcmp', 'protocol', 'store-redis'] },
  simulator: { ours: ['core'], foreign: [] },
  bench: { ours: ['agent', 'core', 'feed', 'mcmp', 'protocol'], measures: true },
  docs: { ours: [], foreign: [], isText: true },
  cli: {
    ours: [
      'admin-client',
      'core',
      'feed',
      'protocol',
      'logging',
      'proxy',
      'coordinator',
      'agent',
      'dashboard',
      'simulator',
      'store-redis',
    ],
  },
};

/** Folders without import cycles, imports of types included: each file can be read without the files that use it. */
export const CYCLE_FREE: readonly string[] = [
  'packages/proxy/src/engine',
  'packages/core/src',
  'packages/feed/src',
  'packages/mcmp/src',
  'packages/protocol/src',
  'packages/coordinator/src',
  'packages/cli/src',
];

/** The door that a package may have besides its own name, for what other packages' tests want of it. */
const TESTING_DOOR = '/testing';
const SCOPE = '@rollcall/';
/** Nouns that do not describe the content of a file. */
const EMPTY_WORDS: ReadonlySet<string> = new Set([
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'misc',
  'manager',
  'handler',
  'service',
  'base',
  'impl',
]);
/** File names of the page. */
const KNOWN_NAMES: ReadonlySet<string> = new Set(['balancer-manager']);
const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+)*$/;
const IMPURE =
  /\bnew Date\b|\bDate\.|\bMath\.random\b|\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|fetch)\s*\(|\b(?:console|process|performance|globalThis)\s*[.[]/g;

/** Violations, and the number of checked files: a check without files must not pass. */
export interface Findings {
  readonly violations: readonly string[];
  readonly packages: number;
  readonly sources: number;
  readonly pureSources: number;
  readonly imports: number;
}

/** Texts by path from the root of the workspace: every `package.json` and every source file. */
export type Workspace = ReadonlyMap<string, string>;

/** Checks a whole workspace. Violations are sentences that begin with the path. */
export function inspect(workspace: Workspace): Findings {
  const violations: string[] = [];
  const packages = new Set<string>();
  const graph = new Map<string, readonly string[]>();
  let [sources, pureSources, imports] = [0, 0, 0];
  for (const [path, text] of workspace) {
    const name = packageOf(path);
    if (path.endsWith('package.json')) {
      if (name !== undefined) packages.add(name);
      violations.push(...manifestViolations(path, name, text));
      continue;
    }
    sources++;
    if (PACKAGE_RULES[name ?? '']?.isText) violations.push(`${path}: is a source in a package without code`);
    violations.push(...nameViolations(path));
    const specifiers = importsOf(text);
    imports += specifiers.length;
    graph.set(
      path,
      specifiers.filter((specifier) => specifier.startsWith('.')).map((specifier) => targetOf(path, specifier)),
    );
    const manifest = manifestOf(workspace, path);
    for (const specifier of specifiers) violations.push(...importViolations(path, specifier, manifest));
    if (name === undefined || !PACKAGE_RULES[name]?.isPure || isForTests(path)) continue;
    pureSources++;
    violations.push(...purityViolations(path, text));
  }
  for (const folder of CYCLE_FREE)
    for (const [first, ...others] of cyclesThrough(folder, graph))
      violations.push(`${first}: is part of an import cycle: ${[...others, first].join(', ')}`);
  return { violations, packages: packages.size, sources, pureSources, imports };
}

/** Specifiers of all static, dynamic and re-exporting imports of a source text, in their order. */
export function importsOf(text: string): readonly string[] {
  const statement =
    /(?:^|[\n;])\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"\n]+)['"]|(?:^|[\n;])\s*import\s*['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/g;
  return [...withoutComments(text).matchAll(statement)].map((match) => (match[1] ?? match[2] ?? match[3])!);
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function manifestViolations(path: string, name: string | undefined, text: string): string[] {
  if (name === undefined) return [];
  const rule = PACKAGE_RULES[name];
  if (!rule) return [`${path}: the package ${name} has no rule about what it may know`];
  const { dependencies = {} } = JSON.parse(text) as Manifest;
  return Object.keys(dependencies)
    .filter((dependency) =>
      dependency.startsWith(SCOPE)
        ? !rule.ours.includes(dependency.slice(SCOPE.length))
        : rule.foreign !== undefined && !rule.foreign.includes(dependency),
    )
    .map((dependency) => `${path}: ${name} may not depend on ${dependency}`);
}

function importViolations(path: string, specifier: string, manifest: Manifest): string[] {
  if (specifier.startsWith('/')) return [`${path}: imports ${specifier}, a place on one machine`];
  if (specifier.startsWith('.'))
    return leaves(path, specifier) ? [`${path}: imports ${specifier} past the front door of another package`] : [];
  const name = packageOf(path);
  const rule = PACKAGE_RULES[name ?? ''];
  const isPure = rule?.isPure === true && !isForTests(path);
  if (specifier.startsWith('node:'))
    return isPure || path.includes('/dashboard/src/app/')
      ? [`${path}: imports ${specifier} where there is no Node`]
      : [];
  const dependency = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const violations: string[] = [];
  if (dependency.startsWith(SCOPE) && specifier !== dependency) {
    if (specifier !== dependency + TESTING_DOOR)
      violations.push(`${path}: imports ${specifier}, which is not a front door`);
    else if (!isForTests(path) && rule?.measures !== true)
      violations.push(`${path}: imports ${specifier}, which is for tests only`);
  }
  const isDeclared =
    Object.hasOwn(manifest.dependencies ?? {}, dependency) ||
    ((isForTests(path) || isInlined(path, name, rule?.inlined?.[dependency])) &&
      Object.hasOwn(manifest.devDependencies ?? {}, dependency));
  if (!isDeclared) violations.push(`${path}: imports ${dependency}, which its package.json does not declare`);
  return violations;
}

/** `place` is a file, or a folder with its `/`, of the package. */
function isInlined(path: string, name: string | undefined, place: string | undefined): boolean {
  if (place === undefined) return false;
  const full = `packages/${name}/${place}`;
  return place.endsWith('/') ? path.startsWith(full) : path === full;
}

function purityViolations(path: string, text: string): string[] {
  return [...withoutComments(text).matchAll(IMPURE)].map(
    ([found]) => `${path}: uses ${found.trim()} in a pure package`,
  );
}

function nameViolations(path: string): string[] {
  const file = path.slice(path.lastIndexOf('/') + 1);
  const violations: string[] = [];
  if (!KEBAB.test(file)) violations.push(`${path}: is not named in kebab-case`);
  const name = file.slice(0, file.indexOf('.'));
  const noun = name.slice(name.lastIndexOf('-') + 1);
  if (EMPTY_WORDS.has(noun) && !KNOWN_NAMES.has(name))
    violations.push(`${path}: ${noun} does not describe its content`);
  return violations;
}

function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\//.exec(path)?.[1];
}

/** The package.json that a source file's imports answer to, together with the workspace's own development tools. */
function manifestOf(workspace: Workspace, path: string): Manifest {
  const name = packageOf(path);
  const read = (place: string): Manifest => JSON.parse(workspace.get(place) ?? '{}') as Manifest;
  const own = read(name === undefined ? 'test/package.json' : `packages/${name}/package.json`);
  const root = read('package.json');
  return { ...own, devDependencies: { ...root.devDependencies, ...own.devDependencies } };
}

/** True for tests and what only they import. */
function isForTests(path: string): boolean {
  return path.startsWith('test/') || path.includes('/testing/') || /\.(?:test|fixture)\.ts$/.test(path);
}

/** True when a relative import ends outside of the folder its package's sources are in. */
function leaves(path: string, specifier: string): boolean {
  const [top, name, folder] = path.split('/');
  const home = top === 'test' ? ['test'] : folder === 'src' ? [top, name, folder] : [top, name];
  const place = targetOf(path, specifier).split('/');
  return home.some((folder, depth) => place[depth] !== folder);
}

/** The path that a relative import in the file `path` names. */
function targetOf(path: string, specifier: string): string {
  const place = path.split('/').slice(0, -1);
  for (const step of specifier.split('/')) {
    if (step === '..') place.pop();
    else if (step !== '.') place.push(step);
  }
  return place.join('/');
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1');
}
