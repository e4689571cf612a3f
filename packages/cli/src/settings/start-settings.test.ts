import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Command } from 'commander';
import { settingOptions, startSettings } from './start-settings.ts';

/** What `up` would make of these words and variables. */
function settings(
  t: TestContext,
  words: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): unknown[] {
  for (const [name, value] of Object.entries(variables)) {
    process.env[name] = value;
    t.after(() => delete process.env[name]);
  }
  const command = new Command('up').exitOverride();
  for (const option of settingOptions()) command.addOption(option);
  command.parse([...words], { from: 'user' });
  return startSettings(command, undefined, 'rollcall.json').map(({ source, patch }) => [source, patch]);
}

test('a switch in the environment may be off as well as on', (t) => {
  assert.deepEqual(settings(t, [], { ROLLCALL_NOFAILOVER: '0', ROLLCALL_ASSIGN: 'on' }), [
    ['environment', { assign: true }],
    ['environment', { sticky: { failover: 'any' } }],
  ]);
  assert.throws(() => settings(t, [], { ROLLCALL_ASSIGN: 'perhaps' }), /--assign "perhaps": write on or off/);
});

test("where Apache's word and ours are both said, ours comes last", (t) => {
  assert.deepEqual(
    settings(t, ['--sticky', 'insert', '--stickysession', '_s|_t', '--failover', 'group', '--nofailover']),
    [
      ['flag', { sticky: { mode: 'suffix', cookies: ['_s'], parameters: ['_t'] } }],
      ['flag', { sticky: { failover: 'none' } }],
      ['flag', { sticky: { mode: 'insert' } }],
      ['flag', { sticky: { failover: 'group' } }],
    ],
  );
});
