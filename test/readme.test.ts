/** The commands of README.md and of the first guide work as they are written there. `npm run test:long` runs those of the other pages. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { commandsOf } from './readme/commands.ts';
import { closePages, runPage } from './readme/page-run.ts';

after(closePages);

test('commands are the lines of sh blocks, joined over line ends and classified by their effect', () => {
  const page = [
    'text',
    '```sh',
    '# why',
    'npm start',
    'A=1 npx rollcall run \\',
    '  -- x',
    '```',
    '```console',
    '$ no',
    '```',
  ];
  assert.deepEqual(commandsOf(page.join('\n')), [
    { text: 'npm start', line: 4, kind: 'cluster' },
    { text: 'A=1 npx rollcall run -- x', line: 5, kind: 'node' },
  ]);
  const kindOf = (text: string): string | undefined => commandsOf(`\`\`\`sh\n${text}\n\`\`\``)[0]?.kind;
  assert.equal(kindOf('npm test'), 'elsewhere');
  assert.equal(kindOf('curl http://127.0.0.1:8080/'), 'once');
  assert.equal(kindOf('rollcall upgrade'), 'once');
});

for (const path of ['README.md', 'packages/docs/guides/first-five-minutes.md'])
  test(`every command of ${path} works unchanged`, (t) => runPage(t, path));
