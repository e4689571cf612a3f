/** The commands of all pages of the manual work as they are written there. `test/readme.test.ts` has README.md and the first guide. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandsOf } from '../readme/commands.ts';
import { closePages, runPage } from '../readme/page-run.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIRST = 'packages/docs/guides/first-five-minutes.md';

after(closePages);

const pages = readdirSync(join(ROOT, 'packages/docs'), { recursive: true, encoding: 'utf8' })
  .map((path) => `packages/docs/${path}`)
  .filter((path) => path.endsWith('.md') && path !== FIRST)
  .filter((path) => commandsOf(readFileSync(join(ROOT, path), 'utf8')).length > 0)
  .sort();

test('there are pages with commands', () => assert.ok(pages.length >= 3, pages.join(', ')));

for (const path of pages) test(`every command of ${path} works unchanged`, (t) => runPage(t, path));
