/** Each relative link in a Markdown page leads to a file and a heading that exist. Each command in the manual has a verb and its options. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { anchorsOf, invocationsOf, linksOf } from './markdown.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The manual: its commands are checked. */
const MANUAL = /^(?:README\.md|packages\/docs\/)/;

interface Command {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const pages = execFileSync('git', ['-c', `safe.directory=${ROOT}`, 'ls-files', '-z', '--', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)));

/** Why the link `target` of `page` does not resolve, or `undefined`. */
function fault(page: string, target: string): string | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : posix.normalize(posix.join(dirname(page), path));
  if (file.startsWith('..') || !existsSync(join(ROOT, file))) return 'no such file';
  if (anchor === undefined || !file.endsWith('.md')) return undefined;
  return anchorsOf(read(file)).has(anchor) ? undefined : 'no such heading';
}

test('every relative link in every tracked page leads to a file and a heading', () => {
  let links = 0;
  const faults: string[] = [];
  for (const page of pages)
    for (const { line, target } of linksOf(read(page))) {
      links += 1;
      const found = fault(page, target);
      if (found !== undefined) faults.push(`${page}:${line}: ${target}: ${found}`);
    }
  assert.deepEqual(faults, []);
  assert.ok(pages.length >= 40 && links >= 200, `${links} links in ${pages.length} pages`);
});

test('a link that leads nowhere is found', () => {
  assert.equal(fault('README.md', 'packages/docs/absent.md'), 'no such file');
  assert.equal(fault('README.md', '../outside.md'), 'no such file');
  assert.equal(fault('packages/docs/README.md', '../../README.md#absent'), 'no such heading');
  assert.equal(fault('packages/docs/README.md', '../../README.md#sessions'), undefined);
  assert.equal(fault('README.md', 'https://example.net/absent'), undefined);
});

test('every page of the manual can be reached from its index', () => {
  const manual = pages.filter((page) => page.startsWith('packages/docs/'));
  const reached = new Set(['packages/docs/README.md']);
  for (const page of reached)
    for (const { target } of linksOf(read(page))) {
      const file = posix.normalize(posix.join(dirname(page), target.split('#')[0]!));
      if (file.startsWith('packages/docs/') && file.endsWith('.md') && existsSync(join(ROOT, file))) reached.add(file);
    }
  assert.deepEqual(
    manual.filter((page) => !reached.has(page)),
    [],
  );
});

test('every command in the manual has a verb and options that exist', async () => {
  // A module without types.
  const { commands } = (await import(new URL('../../.tools/reference.mjs', import.meta.url).href)) as {
    commands: () => Promise<readonly Command[]>;
  };
  const known = await commands();
  const commandOf = (verb: string, next: string | undefined): Command | undefined =>
    known.find(({ words }) => words.length === 2 && words[0] === verb && words[1] === next) ??
    known.find(({ words }) => words.length === 1 && words[0] === verb);
  const faults: string[] = [];
  let count = 0;
  for (const page of pages.filter((path) => MANUAL.test(path)))
    for (const { line, verb, words } of invocationsOf(read(page))) {
      count += 1;
      const command = commandOf(verb, words[0]);
      if (command === undefined) faults.push(`${page}:${line}: there is no command ${verb}`);
      for (const word of words) {
        const [option] = /^--[a-z-]+/.exec(word) ?? [];
        if (option !== undefined && command !== undefined && !command.options.has(option))
          faults.push(`${page}:${line}: ${verb} has no option ${option}`);
      }
    }
  assert.deepEqual(faults, []);
  assert.ok(count >= 80, `${count} commands`);
});

test('every metric in the manual exists', () => {
  const known = new Set(read('packages/docs/reference/metrics.md').match(/\brollcall_[a-z_]+/g));
  const faults = pages
    .filter((path) => MANUAL.test(path))
    .flatMap((path) => [...new Set(read(path).match(/\brollcall_[a-z_]+/g))].map((name) => ({ path, name })))
    .filter(({ name }) => !name.endsWith('_') && !known.has(name))
    .map(({ path, name }) => `${path}: ${name}`);
  assert.deepEqual(faults, []);
  assert.ok(known.size >= 30, `${known.size} metrics`);
});

test('links, anchors and commands are read from pages, and not from code', () => {
  const page = [
    '# A `b`, c/d: _e_',
    '## Two',
    '## Two',
    'See [x](a.md#two) and `[no](b.md)`, ![y](c.png "title").',
    '```console',
    '$ docker exec rollcall rollcall rotate --json',
    'rollcall output',
    '$ A=1 npx rollcall run --count 3 \\',
    '    --id a -- sh -c "rollcall --x"',
    '```',
    'Use `rollcall drain NODE --wait` and `rollcall_nodes`; `docker logs rollcall | cat`.',
    '```text',
    'rollcall up --absent',
    '```',
  ].join('\n');
  assert.deepEqual(
    linksOf(page).map(({ target }) => target),
    ['a.md#two', 'c.png'],
  );
  assert.deepEqual([...anchorsOf(page)], ['a-b-cd-_e_', 'two', 'two-1']);
  assert.deepEqual(
    invocationsOf(page).map(({ line, verb, words }) => [line, verb, ...words]),
    [
      [6, 'rotate', '--json'],
      [8, 'run', '--count', '3', '--id', 'a'],
      [11, 'drain', 'NODE', '--wait'],
    ],
  );
});
