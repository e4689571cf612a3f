/**
 * Pages of packages/docs/migrate: each settings file is valid, and each command has a verb and its options. Commands about nodes
 * and balancers are run in the order of the page, on a coordinator of the test. `up` and `run` are compared with their options.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isOptionOf, mistakesIn, mistakesInSettings, rollcallWords } from './readme/flags.ts';
import { Site } from './site/site.ts';

const FOLDER = fileURLToPath(new URL('../packages/docs/migrate/', import.meta.url));
const TIMEOUT_MS = 600_000;
/** Verbs that need no program of the reader. */
const RUNNABLE: ReadonlySet<string> = new Set([
  'add',
  'balancer',
  'drain',
  'enable',
  'weight',
  'redirect',
  'nodes',
  'status',
]);
const pages = readdirSync(FOLDER).filter((name) => name.endsWith('.md'));

/** Contents of the fenced blocks of a language. */
function blocks(page: string, language: string): readonly string[] {
  const text = readFileSync(join(FOLDER, page), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , body]) => body!);
}

/** Commands after `$ ` in the blocks of a page and in inline code, without commands that leave something out. */
function commandsOf(page: string): readonly (readonly string[])[] {
  const shown = blocks(page, 'console').flatMap((body) => [...body.replaceAll(/\\\n\s*/g, '').matchAll(/^\$ (.*)$/gm)]);
  const inline = readFileSync(join(FOLDER, page), 'utf8').matchAll(/`(rollcall\s[^`]+)`/g);
  return [...shown, ...inline]
    .map(([, text]) => text!.replaceAll(/\s+/g, ' '))
    .filter((text) => !/[…]|KEY=VALUE/.test(text))
    .map(rollcallWords)
    .filter((words) => words !== undefined);
}

/** Options of `up`, `run` and the other verbs in inline code, and bounds given as `--limit NAME=VALUE`. */
function inlineOptions(page: string): { readonly flags: ReadonlySet<string>; readonly limits: readonly string[] } {
  const text = readFileSync(join(FOLDER, page), 'utf8').replaceAll(/^```\w+\n[\s\S]*?^```$/gm, '');
  const codes = [...text.matchAll(/`(--[^`]+)`/g)].map(([, code]) => code!);
  const limits = codes.flatMap((code) => /^--limit (\S+=\S+)$/.exec(code)?.[1] ?? []);
  return { flags: new Set(codes.flatMap((code) => code.match(/--[a-z-]+/g) ?? [])), limits };
}

test('there are five pages', () => assert.equal(pages.length, 5));

for (const page of pages) {
  test(`${page}: every command is one of rollcall, with options that it has`, { timeout: TIMEOUT_MS }, async () => {
    const commands = commandsOf(page);
    assert.ok(commands.length >= 5, `${commands.length} commands`);
    for (const words of commands) assert.deepEqual(await mistakesIn(words), [], words.join(' '));
    const { flags, limits } = inlineOptions(page);
    assert.ok(flags.size >= 10, `${flags.size} options`);
    for (const flag of flags) assert.ok(await isOptionOf(['up', 'run'], flag), `there is no option ${flag}`);
    assert.deepEqual(await mistakesIn(['up', '--limit', ...limits]), []);
  });

  test(`${page}: its nodes and settings are accepted`, { timeout: TIMEOUT_MS }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-migrate-'));
    const site = await Site.start(t);
    t.after(() => rmSync(folder, { recursive: true }));
    for (const [index, settings] of blocks(page, 'json').entries()) {
      const file = join(folder, `${index}.json`);
      writeFileSync(file, settings);
      assert.deepEqual(await mistakesInSettings(file), [], settings);
    }
    const shown = blocks(page, 'console').flatMap((body) => [
      ...body.replaceAll(/\\\n\s*/g, '').matchAll(/^\$ (.*)$/gm),
    ]);
    const commands = shown.map(([, text]) => rollcallWords(text!)).filter((words) => words !== undefined);
    for (const words of commands.filter(([verb]) => RUNNABLE.has(verb!))) {
      const { code, stderr } = await site.cli(...words);
      assert.equal(code, 0, `${words.join(' ')}: ${stderr}`);
    }
  });
}

test('a mistake in a command is found', async () => {
  assert.deepEqual(await mistakesIn(['add', 'http://127.0.0.1:1', '--lbset', '2']), ['add has no option --lbset']);
  assert.deepEqual(await mistakesIn(['balancer', 'shop', 'set', 'growth=2']), ['there is no setting growth']);
  assert.deepEqual(await mistakesIn(['import', 'httpd.conf']), ['there is no command import']);
  assert.match((await mistakesIn(['up', '--failover', 'sometimes']))[0] ?? '', /failover/);
  assert.deepEqual(await mistakesIn(['run', '--balancer', 'shop']), ['run has no program after --']);
});
