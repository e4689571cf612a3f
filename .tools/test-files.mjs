/**
 * Which test files there are and which may run beside which. A file's place decides:
 *
 *   packages/…     unit      side by side
 *   test/…         e2e       side by side: each starts processes of its own and waits for events
 *   test/setup/…   long      one after another, and not in `npm test`; so is every `*.long.test.ts`
 *   test/compose/… compose   needs a container engine; by `npm run test:compose` alone
 *
 * Some run alone, one after another, because they measure time or fill the machine by themselves.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const NO_SOURCES = new Set(['node_modules', 'dist', 'coverage']);

const ALONE = ['test/setup/', 'test/faults/faults.long.test.ts', 'test/e2e/live-cluster.'];

/** Paths below `root`, sorted, by group. */
export function testFiles(root) {
  const groups = { unit: [], e2e: [], long: [], compose: [] };
  for (const path of [...filesIn(root, 'packages'), ...filesIn(root, 'test')]) groups[groupOf(path)].push(path);
  return groups;
}

/** The group of a test file, by its path from the root of the workspace. */
export function groupOf(path) {
  if (path.startsWith('test/compose/')) return 'compose';
  if (path.startsWith('test/setup/') || path.endsWith('.long.test.ts')) return 'long';
  return path.startsWith('test/') ? 'e2e' : 'unit';
}

export function runsAlone(path) {
  const isLongUnit = path.startsWith('packages/') && groupOf(path) === 'long';
  return isLongUnit || ALONE.some((start) => path.startsWith(start));
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
