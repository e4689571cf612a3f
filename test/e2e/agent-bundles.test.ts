/** The SDK in a CommonJS program and in bundles by esbuild, each a node of a real cluster. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { importsOf } from '../architecture/rules.ts';
import { startUp, type Up, until } from './up.ts';

const programPath = (name: string): string => fileURLToPath(new URL(`agent-programs/${name}`, import.meta.url));

/** The packages that the types in `path` refer to, and the types they import, and so on. */
function packagesOfTypes(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return new Set();
  seen.add(path);
  const packages = importsOf(readFileSync(path, 'utf8')).flatMap((specifier) =>
    specifier.startsWith('.')
      ? [...packagesOfTypes(resolve(path, '..', specifier.replace(/\.ts$/, '.d.ts')), seen)]
      : [specifier],
  );
  return new Set(packages);
}

describe('the SDK', () => {
  // Only the modules of Node can be imported from here.
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-bundles-'));
  let up: Up;
  before(async () => {
    up = await startUp();
  });
  after(async () => {
    await up.close();
    rmSync(folder, { recursive: true });
  });

  /** Starts a program, requests it through the proxy, and ends it. */
  async function isServed(file: string, name: string): Promise<void> {
    const program = spawn(process.execPath, [file, name], {
      cwd: folder,
      env: { ...process.env, ROLLCALL_URL: up.controlUrl },
      stdio: 'inherit',
    });
    const ended = once(program, 'exit');
    try {
      await until(async () => {
        assert.equal(program.exitCode, null);
        return (await (await fetch(`${up.proxyUrl}/${name}`)).text()) === name;
      }, `${name} to be served`);
    } finally {
      program.kill('SIGTERM');
    }
    assert.deepEqual(await ended, [null, 'SIGTERM']);
  }

  for (const format of ['esm', 'cjs'] as const)
    test(`works in a bundle in ${format} format, which contains all that it needs`, async () => {
      const outfile = join(folder, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs');
      const entryPoints = [programPath('named.ts')];
      const { warnings } = await build({ entryPoints, outfile, format, bundle: true, platform: 'node' });
      assert.deepEqual(warnings, []);
      assert.match(readFileSync(outfile, 'utf8'), /Copyright \(c\) 2011 Einar Otto Stangvik/);
      await isServed(outfile, `bundle-${format}`);
    });

  test('has types that refer only to the protocol and Node', () => {
    for (const front of ['dist/index.d.ts', 'dist/cjs/index.d.ts']) {
      const packages = packagesOfTypes(fileURLToPath(new URL(`../../packages/agent/${front}`, import.meta.url)));
      assert.deepEqual(
        [...packages].filter((name) => !name.startsWith('node:')),
        ['@rollcall/protocol'],
      );
    }
  });

  test('works in a CommonJS program', () => isServed(programPath('required.cjs'), 'required'));
});
