/** Checks format, lint and types, then runs unit and e2e tests. Stops at the first failure. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './workspace.mjs';

const program = (...path) => join(ROOT, 'node_modules', ...path);
const steps = [
  [program('@biomejs', 'biome', 'bin', 'biome'), 'ci', '.'],
  [program('typescript', 'bin', 'tsc'), '-p', 'test'],
  [join(ROOT, '.tools', 'test.mjs')],
];
for (const step of steps) {
  const { status } = spawnSync(process.execPath, step, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) {
    process.exitCode = status ?? 1;
    break;
  }
}
