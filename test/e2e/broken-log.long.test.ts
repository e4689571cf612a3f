/** The tests of unwritable-log.long.test.ts with every kind of log and access log. */
import { test } from 'node:test';
import { type BrokenLogOptions, BrokenLogSite, KINDS, lacksPython } from './broken-log/broken-log.ts';

const OUTPUTS: readonly [name: string, options: BrokenLogOptions][] = [
  ['no access log', {}],
  ['an access log on a full device', { flags: ['--access-log', '/dev/full'] }],
  ['a closed pipe as access log', { flags: ['--access-log', '-'], output: 'closed' }],
  ['an access log that is not read', { flags: ['--access-log', '-', '--workers', '2'], output: 'stopped' }],
];

for (const [i, kind] of KINDS.entries()) {
  const [name, options] = OUTPUTS[i % OUTPUTS.length]!;
  test(`up, run and join serve and end as ever with a ${kind} as log and ${name}`, {
    skip: lacksPython,
    timeout: 180_000,
  }, async (t) => {
    const site = await BrokenLogSite.start(t, kind, options);
    await site.serveAndEnd();
  });
}
