/** Checks the directions between packages, the folders without import cycles, the purity of core and protocol, and file names. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cyclesThrough } from './architecture/cycles.ts';
import { CYCLE_FREE, importsOf, inspect, PACKAGE_RULES, type Workspace } from './architecture/rules.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Examples are programs of users: they are packages of their own and import what they like. */
const PASSED_OVER = new Set(['node_modules', 'dist', 'coverage', 'examples', '.git', '.rollcall-setup']);

function readWorkspace(): Map<string, string> {
  const workspace = new Map<string, string>();
  const take = (path: string): void => void workspace.set(path, readFileSync(join(ROOT, path), 'utf8'));
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!PASSED_OVER.has(entry.name)) walk(path);
      } else if (entry.name === 'package.json' || /\.[cm]?[jt]sx?$/.test(entry.name)) take(path);
    }
  };
  take('package.json');
  walk('packages');
  walk('test');
  return workspace;
}

const workspace: Workspace = readWorkspace();
const packages = readdirSync(join(ROOT, 'packages'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !PASSED_OVER.has(entry.name))
  .map((entry) => entry.name);

/** The workspace with one file more, or one file else. */
function withFile(path: string, text: string): Workspace {
  return new Map([...workspace, [path, text]]);
}

test('every package, file and import follows the rules, and all of them were checked', () => {
  const findings = inspect(workspace);
  assert.deepEqual(findings.violations, []);
  assert.equal(findings.packages, packages.length);
  assert.ok(findings.packages >= 8, `${findings.packages} packages`);
  assert.ok(findings.sources >= 150, `${findings.sources} source files`);
  assert.ok(findings.pureSources >= 50, `${findings.pureSources} source files of core and protocol`);
  assert.ok(findings.imports >= 500, `${findings.imports} imports`);
});

test('every package has a front door, a page that explains it, and a rule', () => {
  for (const name of packages) {
    assert.ok(PACKAGE_RULES[name], `packages/${name} has no rule`);
    // A package without code has no front door; `inspect` finds a source in it.
    for (const file of PACKAGE_RULES[name].isText ? ['README.md'] : ['src/index.ts', 'README.md'])
      assert.ok(existsSync(join(ROOT, 'packages', name, file)), `packages/${name} has no ${file}`);
  }
});

test('violations are found', () => {
  const core = 'packages/core/src/planted.ts';
  const manifest = (dependencies: object): string => JSON.stringify({ dependencies });
  const planted: [path: string, text: string, violation: RegExp][] = [
    [core, "import { join } from 'node:path';", /node:path where there is no Node/],
    [core, 'export const at = () => Date.now();', /uses Date\. in a pure package/],
    [core, 'export const at = () => new Date();', /uses new Date/],
    [core, 'export const chance = () => Math.random();', /uses Math\.random/],
    [core, 'setTimeout(() => {}, 1);', /uses setTimeout/],
    [core, "console.log('x');", /uses console\./],
    [core, "import fc from 'fast-check';", /fast-check, which its package.json does not declare/],
    [core, "import { loadFactor } from '../../protocol/src/load-factor.ts';", /past the front door/],
    [core, "export * from '@rollcall/protocol/src/ids.ts';", /is not a front door/],
    [core, "import { seededRng } from '@rollcall/core/testing';", /for tests only/],
    [core, "const later = await import('@rollcall/proxy');", /proxy, which its package.json does not declare/],
    ['packages/agent/src/planted.ts', "import type { Registry } from '@rollcall/core';", /@rollcall\/core, which/],
    ['packages/agent/src/planted.ts', "import x from '/home/me/x.ts';", /a place on one machine/],
    ['packages/dashboard/src/app/planted.ts', "import 'node:fs';", /where there is no Node/],
    ['packages/proxy/src/request-utils.ts', '', /utils does not describe its content/],
    ['packages/proxy/src/RequestState.ts', '', /kebab-case/],
    ['packages/core/package.json', manifest({ ws: '8.23.0' }), /core may not depend on ws/],
    ['packages/agent/package.json', manifest({ ws: '8.23.0' }), /agent may not depend on ws/],
    ['packages/agent/src/planted.ts', "import { WebSocket } from 'ws';", /ws, which its package.json does not/],
    ['packages/agent/src/websocket.ts', "import fc from 'fast-check';", /fast-check, which its package.json does not/],
    ['packages/protocol/package.json', manifest({ '@rollcall/core': '0.1.0' }), /may not depend on @rollcall\/core/],
    ['packages/agent/package.json', manifest({ '@rollcall/core': '0.1.0' }), /may not depend on @rollcall\/core/],
    [
      'packages/coordinator/package.json',
      manifest({ '@rollcall/agent': '0.1.0' }),
      /may not depend on @rollcall\/agent/,
    ],
    ['packages/left-over/package.json', manifest({}), /left-over has no rule/],
    ['packages/docs/src/index.ts', '', /a source in a package without code/],
    ['packages/docs/package.json', manifest({ ws: '8.23.0' }), /docs may not depend on ws/],
    [
      'packages/proxy/src/engine/ends.ts',
      "import type { Exchange } from './exchange.ts';",
      /part of an import cycle: packages\/proxy\/src\/engine\/exchange\.ts, packages\/proxy\/src\/engine\/ends\.ts/,
    ],
    ['packages/proxy/src/engine/planted.ts', "import './planted.ts';", /part of an import cycle/],
  ];
  for (const [path, text, violation] of planted) {
    const found = inspect(withFile(path, text)).violations.filter((line) => line.startsWith(path));
    assert.ok(
      found.some((line) => violation.test(line)),
      `${text || path}: ${found.join('; ') || 'nothing found'}`,
    );
  }
});

test('the folders that must be free of import cycles have files', () => {
  for (const folder of CYCLE_FREE)
    assert.ok(
      [...workspace.keys()].some((path) => path.startsWith(`${folder}/`)),
      `${folder} has no source file`,
    );
});

test('an import cycle is found once, also where it leads through another folder', () => {
  const graph = new Map([
    ['a/one.ts', ['a/two.ts', 'a/three.ts']],
    ['a/two.ts', ['b/four.ts']],
    ['a/three.ts', []],
    ['b/four.ts', ['a/one.ts', 'b/five.ts']],
    ['b/five.ts', ['b/six.ts']],
    ['b/six.ts', ['b/five.ts', 'b/missing.ts']],
  ]);
  assert.deepEqual(cyclesThrough('a', graph), [['a/one.ts', 'a/two.ts', 'b/four.ts']]);
  assert.deepEqual(cyclesThrough('b', graph), [
    ['b/four.ts', 'a/one.ts', 'a/two.ts'],
    ['b/five.ts', 'b/six.ts'],
  ]);
});

test('imports are found however they are written, and not in comments', () => {
  const text = [
    "import a, {\n  b,\n} from 'one';",
    "export { c } from 'two';",
    "import type { D } from 'three';",
    "import 'four';",
    // Put together, or this file would itself seem to import it.
    `const e = await ${'import'}('five');`,
    "// import f from 'six';",
    "/* import g from 'seven'; */",
  ].join('\n');
  assert.deepEqual(importsOf(text), ['one', 'two', 'three', 'four', 'five']);
});
