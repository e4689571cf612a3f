/**
 * Which test files there are and which may run beside which. A file's place decides:
 *
 *   packages/…     unit      side by side
 *   test/…         cluster   one after another: they start processes and need the machine for themselves
 *   test/setup/…   long      one after another, and not in `npm test`; so is every `*.long.test.ts`
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const NO_SOURCES = new Set(['node_modules', 'dist', 'coverage']);

/** Paths below `root`, sorted, by group. */
export function testFiles(root) {
  const groups = { unit: [], cluster: [], long: [] };
  for (const path of [...filesIn(root, 'packages'), ...filesIn(root, 'test')]) groups[groupOf(path)].push(path);
  return groups;
}

/** The group of a test file, by its path from the root of the workspace. */
export function groupOf(path) {
  if (path.startsWith('test/setup/') || path.endsWith('.long.test.ts')) return 'long';
  return path.startsWith('test/') ? 'cluster' : 'unit';
}

function filesIn(root, folder) {
  const files = [];
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!NO_SOURCES.has(entry.name)) files.push(...filesIn(root, path));
    } else if (entry.name.endsWith('.test.ts')) files.push(path);
  }
  return files.sort();
}
