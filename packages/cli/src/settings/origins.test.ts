import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parsedUp } from '../commands/up.ts';
import { applyConfigFile } from '../config-file.ts';
import { type Source, sourcesOf } from './origins.ts';
import { startSettings } from './start-settings.ts';
import { supervisorOptions, type UpFlags } from './up-settings.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'rollcall-origins-'));
const FILE = join(FOLDER, 'rollcall.json');
after(() => rmSync(FOLDER, { recursive: true, force: true }));

const ORDER: readonly Source[] = ['flag', 'environment', 'file'];

/** One spelling of a setting: an option, or keys of the settings file only. */
type Spelling = { readonly long: string; readonly text: string } | { readonly file: object };

/** The options of `up` with these spellings, each from its source. */
function started(given: readonly (readonly [source: Source, spelling: Spelling])[]) {
  const words = ['--config', FILE];
  const variables: string[] = [];
  const file: Record<string, unknown> = {};
  for (const [source, spelling] of given) {
    if ('file' in spelling) Object.assign(file, spelling.file);
    else {
      const { long, text } = spelling;
      const key = long.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
      if (source === 'flag') words.push(`--${long}`, text);
      else if (source === 'file') file[key] = long === 'limit' ? [text] : text;
      else {
        const name = `ROLLCALL_${long.replaceAll('-', '_').toUpperCase()}`;
        process.env[name] = text;
        variables.push(name);
      }
    }
  }
  writeFileSync(FILE, JSON.stringify(file));
  try {
    const command = parsedUp(words);
    const { path, balancers } = applyConfigFile(command);
    const settings = startSettings(command, balancers, path);
    return { settings, options: supervisorOptions(command.opts<UpFlags>(), settings, () => {}, sourcesOf(command)) };
  } finally {
    for (const name of variables) delete process.env[name];
  }
}

const SPELLINGS = ['header-timeout', 'body-timeout', 'upstream-timeout'].flatMap((name) => {
  const own = (text: string): Spelling => ({ long: name, text });
  const listed = (text: string): Spelling => ({ long: 'limit', text: `${name}=${text}` });
  const key = `${name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())}Ms`;
  return [
    { name, key, one: own, other: listed },
    { name, key, one: listed, other: own },
  ];
});

for (const { name, key, one, other } of SPELLINGS) {
  const [shown] = ['long' in one('') ? (one('') as { long: string }).long : ''];
  for (const [rank, first] of ORDER.entries())
    for (const second of ORDER.slice(rank + 1))
      test(`${name}: --${shown} of ${first} wins over the other spelling of ${second}`, () => {
        const { options } = started([
          [first, one('7s')],
          [second, other('8s')],
        ]);
        assert.equal(options.workerOptions.limits[key as never], 7_000);
      });
}

const REFUSED: readonly (readonly [Source, Spelling, Spelling, RegExp])[] = [
  ...ORDER.map((source): [Source, Spelling, Spelling, RegExp] => [
    source,
    { long: 'upstream-timeout', text: '7s' },
    { long: 'limit', text: 'upstream-timeout=8s' },
    source === 'flag'
      ? /^upstream-timeout has two values on the command line: --limit upstream-timeout=8s and --upstream-timeout 7s; remove one/
      : source === 'environment'
        ? /in the environment: ROLLCALL_LIMIT=upstream-timeout=8s and ROLLCALL_UPSTREAM_TIMEOUT=7s; remove/
        : /in the settings file: "limit": "upstream-timeout=8s" and "upstreamTimeout": "7s"; remove/,
  ]),
  [
    'flag',
    { long: 'limit', text: 'parked=8' },
    { long: 'limit', text: 'waiting=9' },
    /^waiting has two values .*parked=8 and --limit waiting=9/,
  ],
  [
    'flag',
    { long: 'limit', text: 'shop/a:upstream-idle=1s' },
    { long: 'limit', text: 'shop/a:upstream-idle=2s' },
    /^limits\.paths\.\/a\.upstreamIdleMs of balancer shop has two values on the command line/,
  ],
  [
    'file',
    { long: 'limit', text: '*:upstream-idle=1s' },
    { file: { balancers: { '*': { limits: { upstreamIdle: '2s' } } } } },
    /of all balancers has two values in the settings file: balancers\.\*\.limits and "limit": "\*:upstream-idle=1s"/,
  ],
  [
    'file',
    { long: 'retries', text: '1' },
    { file: { balancers: { '*': { retries: 3 } } } },
    /^retries of all balancers has two values in the settings file: balancers\.\*\.retries and "retries": "1"/,
  ],
];

for (const [source, one, other, message] of REFUSED)
  test(`two values of one setting from ${source} are refused: ${JSON.stringify([one, other])}`, () => {
    assert.throws(
      () =>
        started([
          [source, one],
          [source, other],
        ]),
      { exitCode: 2, message },
    );
  });

test('equal values, other balancers and the spelling of Apache are no conflict', () => {
  const { settings } = started([
    ['flag', { long: 'upstream-timeout', text: '7s' }],
    ['flag', { long: 'limit', text: 'upstream-timeout=7000ms' }],
    ['file', { long: 'retries', text: '1' }],
    ['file', { long: 'stickysession', text: 'a' }],
    ['file', { file: { balancers: { '*': { retries: 1, sticky: { mode: 'insert' } }, shop: { retries: 3 } } } }],
  ]);
  assert.equal(settings.length, 4);
});
