/** Holds the directions between packages, the purity of core and protocol, and the names of files. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { importsOf, inspect, PACKAGE_RULES, type Workspace } from './architecture/rules.ts';

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
      } else if (entry.name === 'package.json' || /\.[cm]?[jt]s$/.test(entry.name)) take(path);
    }
  };
  take('package.json');
  walk('packages');
  walk('test');
  return workspace;
}

const workspace: Workspace = readWorkspace();
const packages = readdirSync(join(ROOT, 'packages'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

/** The workspace with one file more, or one file else. */
function withFile(path: string, text: string): Workspace {
  return new Map([...workspace, [path, text]]);
}

test('every package, file and import keeps to the rules, and all of them were looked at', () => {
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
    for (const file of ['src/index.ts', 'README.md'])
      assert.ok(existsSync(join(ROOT, 'packages', name, file)), `packages/${name} has no ${file}`);
  }
});

test('what must not be is found when it is there', () => {
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
    ['packages/dashboard/src/browser/planted.ts', "import 'node:fs';", /where there is no Node/],
    ['packages/proxy/src/request-utils.ts', '', /utils does not say what is inside/],
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
  ];
  for (const [path, text, violation] of planted) {
    const found = inspect(withFile(path, text)).violations.filter((line) => line.startsWith(path));
    assert.ok(
      found.some((line) => violation.test(line)),
      `${text || path}: ${found.join('; ') || 'nothing found'}`,
    );
  }
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
