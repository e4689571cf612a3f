/**
 * Which test files there are and which may run beside which. A file's place decides:
 *
 *   packages/…     unit      side by side
 *   test/e2e/…     e2e       two at a time: each starts processes of its own and waits for events
 *   test/…         alone     one after another; so is the live cluster, whose client must not be late itself
 *   test/setup/…   long      one after another, and not in `npm test`; so is every `*.long.test.ts`
 *   test/compose/… compose   needs a container engine; by `npm run test:compose` alone
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const NO_SOURCES = new Set(['node_modules', 'dist', 'coverage']);

/** Paths below `root`, sorted, by group. */
export function testFiles(root) {
  const groups = { unit: [], e2e: [], alone: [], long: [], compose: [] };
  for (const path of [...filesIn(root, 'packages'), ...filesIn(root, 'test')]) groups[groupOf(path)].push(path);
  return groups;
}

/** The group of a test file, by its path from the root of the workspace. */
export function groupOf(path) {
  if (path.startsWith('test/compose/')) return 'compose';
  if (path.startsWith('test/setup/') || path.endsWith('.long.test.ts')) return 'long';
  if (mayHaveCompany(path)) return 'e2e';
  return path.startsWith('test/') ? 'alone' : 'unit';
}

/** Also long ones of these run two at a time. */
export function mayHaveCompany(path) {
  return path.startsWith('test/e2e/') && path !== 'test/e2e/live-cluster.test.ts';
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
