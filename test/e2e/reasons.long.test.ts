/** Reasons and notes of a node over verbs in a row: in `nodes`, `events`, the audit and the admin API. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { EventResource, WantedStatus } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

interface Step {
  /** Words of the command; `undefined` waits until the status ends by itself. */
  readonly words?: readonly string[];
  /** The new line of the audit: message, requester and reason; `undefined` for none. */
  readonly audit: readonly [message: RegExp, by?: string, reason?: string] | undefined;
  readonly wanted: Omit<WantedStatus, 'atUnixMs'>;
  /** End of the row in `nodes`. */
  readonly row: RegExp;
}

const ENABLED = { status: 'enabled' } as const;
const DRAINED_FOR_A = { status: 'draining', by: 'admin', reason: 'a' } as const;

const STEPS: readonly Step[] = [
  {
    words: ['drain', 'n1', '--reason', 'a', '--yes'],
    audit: [/^an operator requests draining for node n1: a$/, 'admin', 'a'],
    wanted: DRAINED_FOR_A,
    row: /by admin: a; empty$/,
  },
  { words: ['drain', 'n1', '--yes'], audit: undefined, wanted: DRAINED_FOR_A, row: /by admin: a; empty$/ },
  {
    words: ['drain', 'n1', '--yes', '--for', '1h'],
    audit: [/^an operator requests draining for node n1 for 1h$/, 'admin'],
    wanted: DRAINED_FOR_A,
    row: /by admin: a; reverts in .*; empty$/,
  },
  {
    words: ['stop', 'n1', '--yes'],
    audit: [/^an operator requests stopped for node n1$/, 'admin'],
    wanted: { status: 'stopped', by: 'admin' },
    row: /by admin; stopped$/,
  },
  {
    words: ['enable', 'n1', '--reason', 'back'],
    audit: [/^an operator requests enabled for node n1: back$/, 'admin', 'back'],
    wanted: ENABLED,
    row: /enabled +up(?!.*by admin)/,
  },
  {
    words: ['drain', 'n1', '--yes', '--for', '2s', '--reason', 'b'],
    audit: [/^an operator requests draining for node n1 for 2s: b$/, 'admin', 'b'],
    wanted: { status: 'draining', by: 'admin', reason: 'b' },
    row: /by admin: b; reverts in .*; empty$|enabled +up/,
  },
  {
    audit: [
      /^node n1 reverts from draining to enabled: the time limit is over; admin requested draining \d+s ago \(b\)$/,
    ],
    wanted: ENABLED,
    row: /enabled +up(?!.*by admin)/,
  },
  {
    words: ['weight', 'n1', '2', '--reason', 'bigger'],
    audit: [/^node n1: weight 2$/, 'admin', 'bigger'],
    wanted: ENABLED,
    row: /enabled +up(?!.*by admin)/,
  },
  {
    words: ['weight', 'n1', '3'],
    audit: [/^node n1: weight 3$/, 'admin'],
    wanted: ENABLED,
    row: /enabled +up(?!.*by admin)/,
  },
];

test('each verb has its own reason, and a note ends with its cause', { timeout: 180_000 }, async (t) => {
  const site = await Site.start(t);
  const answer = { balancer: 'shop' };
  await site.addNode('n1', answer, (_, response) => response.end());
  await site.addNode('n2', answer, (_, response) => response.end());

  const audited = (): EventResource[] =>
    readFileSync(join(site.stateDir, 'audit.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ what, node }) => node === 'n1' && ['status', 'patched', 'gone'].includes(what));
  const row = async (): Promise<string> => /^n1 .*$/m.exec((await site.cli('nodes')).stdout)?.[0] ?? '';
  const expected: NonNullable<Step['audit']>[] = [];

  for (const { words, audit, wanted, row: note } of STEPS) {
    if (words === undefined)
      await until(async () => (await site.node('n1'))?.status === 'enabled', 'it does not revert');
    else {
      const { code, stderr } = await site.cli(...words);
      assert.equal(code, 0, stderr);
    }
    if (audit !== undefined) expected.push(audit);
    await until(() => audited().length >= expected.length, 'the audit has no entry');
    const said = words?.join(' ') ?? 'the time is over';
    const { atUnixMs: _, untilUnixMs: __, ...now } = (await site.node('n1'))!.wanted;
    if (now.status === wanted.status) assert.deepEqual(now, wanted, said);
    await until(async () => note.test(await row()), `nodes has no note like ${note} after ${said}`);
  }

  const entries = audited() as unknown as readonly { message: string; by?: string; reason?: string }[];
  assert.equal(entries.length, expected.length, JSON.stringify(entries));
  for (const [i, [message, by, reason]] of expected.entries()) {
    assert.match(entries[i]!.message, message);
    assert.deepEqual([entries[i]!.by, entries[i]!.reason], [by, reason], entries[i]!.message);
  }
  const { stdout } = await site.cli('events');
  for (const { message } of entries) assert.ok(stdout.includes(message), `events has not: ${message}`);

  await site.restart();
  await until(async () => (await site.node('n1'))?.liveness === 'up', 'the node is not up after a restart');
  assert.deepEqual((await site.node('n1'))?.warnings, []);
  assert.equal((await site.node('n1'))?.wanted.reason, undefined);
  assert.match(await row(), / - +-$/);

  const sticky = await site.cli('explain', '--url', 'http://localhost/');
  assert.match(sticky.stdout, /^ {2}NODE +ELIGIBLE +SCORE$/m);
});
