/** Wrong lists of coordinators, as flags and in the environment. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { command } from '../testing/command.ts';

const SIX = ['a.test', 'b.test', 'c.test', 'd.test', 'e.test', 'f.test'];

for (const words of [
  ['run', '--', 'true'],
  ['join', 'http://127.0.0.1:9'],
] as const)
  for (const [list, sentence] of [
    ['ws://a.test,http://a.test:8400/', 'the coordinator ws://a.test:8400 is listed twice: correct --coordinator'],
    [
      SIX.join(),
      'the list of coordinators has more than 5 entries, and those after the first 5 are left out: correct --coordinator',
    ],
    ['ws://a.test,,ws://b.test', 'the list of coordinators has an empty entry: correct --coordinator'],
    ['ws://a.test,', 'the list of coordinators has an empty entry: correct --coordinator'],
    ['ws://_rollcall._tcp.a.test:8400', 'with a port, which SRV records contain already, is no address'],
  ] as const)
    test(`${words[0]} with the coordinators ${list} exits with 2`, async () => {
      const [name, ...rest] = words;
      const flags = list.split(',').flatMap((each) => ['--coordinator', each]);
      for (const ran of [
        await command(words, { env: { ROLLCALL_URL: list } }),
        await command([name, ...flags, ...rest]),
      ]) {
        assert.equal(ran.code, 2);
        assert.ok(ran.stderr.includes(sentence), ran.stderr);
      }
    });

test('a command that needs one coordinator refuses a name with SRV records with exit 2', async () => {
  const ran = await command(['nodes'], { env: { ROLLCALL_URL: 'wss://_rollcall._tcp.a.test' } });
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /_rollcall\._tcp\.a\.test is a name with SRV records, .*: set --coordinator to the address/);
});
