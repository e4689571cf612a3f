/** The words that `.tools/plain-words.mjs` finds, the texts that it reads, and exclusions. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../.tools/plain-words.mjs', import.meta.url));

interface Options {
  readonly long?: boolean;
  readonly wide?: boolean;
  readonly advice?: boolean;
}
type FindingsIn = (path: string, source: string, options?: Options) => { findings: Finding[] } | undefined;
interface Finding {
  readonly line: number;
  readonly word: string;
}

// A module without types.
const { findingsIn } = (await import(SCRIPT)) as { findingsIn: FindingsIn };
const found = (path: string, source: string, options?: Options): [number, string][] =>
  findingsIn(path, source, options)!.findings.map(({ line, word }) => [line, word]);

test('comments, literals and test names of code are read', () => {
  const source = [
    '/**',
    ' * Nobody reads it.',
    ' *',
    ' * @returns what is told to the node',
    ' */',
    '// The node goes',
    '// on without it.',
    "test('a stranger is refused', () => {});",
    'const line = `the store is away (${reason('.concat('"by and by"', ')}); trying on`;'),
  ].join('\n');
  assert.deepEqual(found('a.ts', source), [
    [2, 'nobody'],
    [4, 'tell'],
    [6, 'go on'],
    [8, 'stranger'],
    [9, 'by and by'],
    [9, 'is away'],
    [9, 'trying on'],
  ]);
});

test('identifiers, values, inline code and regular expressions are not read', () => {
  const source = [
    "import { told } from './told.ts';",
    'const nobody = /nobody "is told/.test(heard) / 2; // a quotient',
    "const kind = { said: 'told', 'whoever': meanwhile };",
    '// The field `told` is set.',
    'const text = `$' + '{told} nodes, $' + '{kind[`said`]} left`;',
  ].join('\n');
  assert.deepEqual(found('a.ts', source), []);
});

test('words are found whole, in any case, and across line ends', () => {
  assert.deepEqual(found('a.md', 'Sayings of the Endeared, storytellers, those of it'), []);
  assert.deepEqual(found('a.md', 'THOSE\nTHAT wait'), [[1, 'those that']]);
  assert.deepEqual(found('a.md', 'It waits. So many\nare lost, not so many as before.'), [[1, 'so many']]);
});

test('Markdown is read with its tables and code blocks', () => {
  const source = ['# Meanwhile', '', '| a | nobody |', '', '```sh', 'rollcall up # whoever', '```', '', '- `told`'];
  assert.deepEqual(found('README.md', source.join('\n')), [
    [1, 'meanwhile'],
    [3, 'nobody'],
    [6, 'whoever'],
  ]);
});

test('generated parts of Markdown are not read', () => {
  const source = ['# Told', '', '<!-- generated commands -->', '', 'Nobody', '', '<!-- /generated -->', '', 'Whoever'];
  assert.deepEqual(found('cli.md', source.join('\n')), [
    [1, 'tell'],
    [9, 'whoever'],
  ]);
});

test('of a change log only the part that is not released is read', () => {
  const source = '# Changes\n\n## Unreleased\n\n- It says so.\n\n## 0.1.0 - 2026-11-30\n\n- Nobody.\n';
  assert.deepEqual(found('CHANGELOG.md', source), [[5, 'say']]);
});

test('JSON is read where it describes, HTML without its attributes, other files in their comments', () => {
  assert.deepEqual(found('a.json', '{\n"told": "nobody cares",\n"description": "what a node tells"}'), [[3, 'tell']]);
  assert.deepEqual(found('a.html', '<p id="told"\n title="is told">said</p>'), [
    [2, 'tell'],
    [2, 'say'],
  ]);
  assert.deepEqual(found('Dockerfile', 'FROM a\n# Whoever\nRUN b'), [[2, 'whoever']]);
  assert.equal(findingsIn('a.png', 'nobody'), undefined);
});

test('long sentences and wide lines are found on demand', () => {
  const sentence = (words: number): string => `${Array(words).fill('word').join(' ')}.`;
  const source = `**${sentence(25)}** ${sentence(26)}\n\n- ${sentence(20)}\n- ${sentence(20)}\n`;
  assert.deepEqual(found('a.md', source), []);
  assert.deepEqual(found('a.md', source, { long: true }), [[1, 'long']]);
  assert.deepEqual(found('a.ts', `// ${sentence(20)}\n// ${sentence(26)}`, { long: true }), [[2, 'long']]);
  const wide = `# ${'x'.repeat(158)}\n# ${'x'.repeat(159)}\n`;
  assert.deepEqual(found('a.md', wide, { wide: true }), [[2, 'wide']]);
  assert.deepEqual(found('a.ts', `// ${'x'.repeat(159)}`, { wide: true }), []);
});

test('advice is given on demand', () => {
  assert.deepEqual(found('a.md', 'What is lost is counted. What is lost?'), []);
  assert.deepEqual(found('a.md', 'What is lost is counted. What is lost?', { advice: true }), [[1, 'what is …']]);
});

test('the command prints each finding with its place, counts them, and fails for them and for no text', (t) => {
  const folder = repository(t, {
    'packages/a/a.ts': '// Nobody knows.\n',
    'packages/b/b.ts': '// The node knows.\n',
    'c.png': '',
  });
  const run = (...args: string[]): { code: number | null; lines: string[] } => {
    const { status, stdout } = spawnSync(process.execPath, [SCRIPT, ...args], { cwd: folder, encoding: 'utf8' });
    return { code: status, lines: stdout.trimEnd().split('\n') };
  };
  const summary = ['packages/a: 1 (nobody 1)', 'plain words: 2 files, 2 texts, 1 findings'];
  assert.deepEqual(run('.'), {
    code: 1,
    lines: ['packages/a/a.ts:1: Nobody → no client, no process, no other node', ...summary],
  });
  assert.deepEqual(run('--count', '.'), { code: 1, lines: summary });
  assert.deepEqual(run('packages/b'), { code: 0, lines: ['plain words: 1 files, 1 texts, 0 findings'] });
  assert.equal(run('c.png').code, 1);
  assert.equal(run('absent').code, 1);
});

/** A git repository with these files. */
function repository(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-plain-words-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
  ])
    assert.equal(spawnSync('git', args, { cwd: folder }).status, 0, 'git is needed');
  return folder;
}
