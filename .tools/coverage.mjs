/** Runs the unit tests of core under c8 and prints the coverage of lines and branches of core. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { testFiles } from './test-files.mjs';
import { ROOT } from './workspace.mjs';

const CORE = 'packages/core/src/';
const files = testFiles(ROOT).unit.filter((file) => file.startsWith(CORE));
const { status } = spawnSync(
  process.execPath,
  [
    join(ROOT, 'node_modules', 'c8', 'bin', 'c8.js'),
    `--include=${CORE}**/*.ts`,
    '--exclude=**/*.test.ts',
    `--exclude=${CORE}testing/**`,
    '--all',
    '--reporter=text',
    process.execPath,
    '--conditions=@rollcall/source',
    `--import=${new URL('./typescript.mjs', import.meta.url).href}`,
    '--test',
    '--test-reporter=dot',
    ...files,
  ],
  { cwd: ROOT, stdio: 'inherit' },
);
process.exitCode = status ?? 1;
