/**
 * Finds the test files and groups them by path:
 *
 * - unit: `packages/…`, in parallel; the files of a package share a few processes, because the start of a process takes longer
 *   than most files
 * - e2e: `test/…`, in parallel; each file starts its own processes and waits for events
 * - long: `test/setup/…`, `test/abuse/…` and every `*.long.test.ts`, not in `npm test`: attacks, and files that take more than 20 s
 * - compose: `test/compose/…`, only in `npm run test:compose`, because it needs a container engine
 *
 * Files that measure time or use the whole machine run one after another.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const NO_SOURCES = new Set(['node_modules', 'dist', 'coverage']);

/** Upper bound of unit test files in one process. */
const FILES_PER_BATCH = 16;

/** Folders of long tests only. */
const LONG = ['test/setup/', 'test/abuse/'];

/** Beginnings of paths of files that run one after another. */
const ALONE = [
  'test/setup/',
  'test/faults/faults.long.test.ts',
  'test/faults/coordinators/coordinators.long.test.ts',
  'test/e2e/live-cluster.',
  'test/e2e/live-cluster-ajp.',
  'test/e2e/mcmp-tomcat.',
];

/** Paths of all test files relative to `root`, by group, sorted within `packages` and `test`. */
export function testFiles(root) {
  const groups = { unit: [], e2e: [], long: [], compose: [] };
  for (const path of [...filesIn(root, 'packages'), ...filesIn(root, 'test')]) groups[groupOf(path)].push(path);
  return groups;
}

/** The group of a test file. `path` is relative to the root of the workspace. */
export function groupOf(path) {
  if (path.startsWith('test/compose/')) return 'compose';
  if (LONG.some((folder) => path.startsWith(folder)) || path.endsWith('.long.test.ts')) return 'long';
  return path.startsWith('test/') ? 'e2e' : 'unit';
}

/** Whether no other test file may run at the same time. */
export function runsAlone(path) {
  const isLongUnit = path.startsWith('packages/') && groupOf(path) === 'long';
  return isLongUnit || ALONE.some((start) => path.startsWith(start));
}

/** Divides unit test files into lists that one process each can run: files of one package, dealt out in turn. */
export function batchesOf(paths) {
  const byPackage = new Map();
  for (const path of paths) {
    const name = path.split('/')[1];
    byPackage.set(name, [...(byPackage.get(name) ?? []), path]);
  }
  return [...byPackage.values()].flatMap((files) => {
    const count = Math.ceil(files.length / FILES_PER_BATCH);
    return Array.from({ length: count }, (_, batch) => files.filter((_, i) => i % count === batch));
  });
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
