/** The situations of an operator's night, made for real: each is named in one line by `rollcall status`, by /v1/status and by a metric. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { findRedisServer, HOW_TO_INSTALL, startRedisServer } from '@rollcall/store-redis/testing';
import { type BusySite, startBusySite } from '../site/busy-site.ts';
import { type SiteOwner, until } from '../site/site.ts';

interface Night extends BusySite {
  /** Waits until the first line of `rollcall status` and the metric match, and checks the exit code. */
  named(line: RegExp, exitCode: number, metric: RegExp | undefined): Promise<StatusResource>;
}

async function night(owner: SiteOwner, flags: readonly string[] = []): Promise<Night> {
  const busy = await startBusySite(owner, { flags });
  const { site } = busy;
  return {
    ...busy,
    named: async (line, exitCode, metric) => {
      let [last, code] = ['', -1];
      await until(async () => {
        const output = await site.cli('status', '--exit-code');
        [last = '', code] = [output.stdout.split('\n')[0], output.code];
        if (!line.test(last)) return false;
        const metrics = await (await fetch(`${site.controlUrl}/metrics`)).text();
        return metric === undefined || metric.test(metrics);
      }, `the first line is not ${line} with ${metric}`).catch((error: Error) =>
        assert.fail(`${error.message}, but ${JSON.stringify(last)}`),
      );
      assert.equal(code, exitCode, last);
      const { body } = await site.admin<StatusResource>('GET', '/v1/status');
      return body;
    },
  };
}

test('a node that fails, one that is slow, a drain, a crash, a crash of all', { timeout: 300_000 }, async (t) => {
  const { set, named, site, wrappers } = await night(t);
  await named(/^All well: 3 nodes up, [0-9.]+ requests\/s$/, 0, undefined);

  await set('shop-2', 'ratio=0.6');
  const failing =
    /^(?:1 problem|\d problems, the gravest): node shop-2 of balancer shop answers \d+ % of its requests with errors, the other nodes 0 %.*; .*(?:sessions|visitors) get the errors$/;
  await named(failing, 5, /^rollcall_problems\{kind="errors",level="harm",balancer="shop"\} 1$/m);
  await set('shop-2', '');
  await named(/^All well/, 0, undefined);

  await set('shop-3', 'delay=600');
  const slow =
    /^(?:1 problem|\d problems, the gravest): node shop-3 of balancer shop takes \d+ ms for an answer, the other nodes about [\d.]+ ms; /;
  await named(slow, 5, /^rollcall_problems\{kind="slow",level="harm",balancer="shop"\} 1$/m);
  await set('shop-3', '');
  await named(/^All well/, 0, undefined);

  assert.equal((await site.cli('drain', 'shop-1', '--reason', 'kernel', '--deadline', '10m')).code, 0);
  const draining =
    /^All well: 3 nodes up, .*; planned: node shop-1 of balancer shop is drain(ing|ed) by admin \(kernel\): /;
  await named(draining, 0, /^rollcall_problems\{kind="draining",level="planned",balancer="shop"\} 1$/m);
  assert.equal((await site.cli('enable', 'shop-1')).code, 0);

  wrappers.get('shop-3')!.kill('SIGKILL');
  const missing =
    /^(?:1 problem|\d problems, the gravest): node shop-3 of balancer shop is missing, .*; sessions on it moved without their state, 2 of 3 nodes are up$/;
  const { verdict } = await named(missing, 5, /^rollcall_problems\{kind="missing",level="harm",balancer="shop"\} 1$/m);
  assert.match(verdict.problems[0]!.remedy!, /rollcall acknowledge shop-3$/);
  assert.match((await site.cli('nodes')).stdout, /^shop-3 .* missing /m);

  for (const id of ['shop-1', 'shop-2']) wrappers.get(id)!.kill('SIGKILL');
  const dark = /^\d problems, the gravest: no node can serve \/: .*shop.*; visitors of shop get 503$/;
  await named(dark, 6, /^rollcall_problems\{kind="unserved",level="outage",balancer="shop"\} 1$/m);
  assert.doesNotMatch((await site.cli('nodes')).stdout, /no nodes/);

  assert.equal((await site.cli('acknowledge', '--balancer', 'shop', '--reason', 'known')).code, 0);
  const { body } = await site.admin<StatusResource>('GET', '/v1/status');
  assert.ok(!body.verdict.problems.some(({ kind }) => kind === 'missing'));
});

test('a coordinator that was frozen, and is replaced, is named', { timeout: 120_000 }, async (t) => {
  const { site, named } = await night(t);
  site.signalControl('SIGSTOP');
  const frozen = await site.bareCli('status', '--coordinator', site.controlUrl);
  assert.equal(frozen.code, 3);
  assert.match(frozen.stderr, /no answer from http:\S+ in time: the coordinator is frozen or overloaded/);
  const replaced = /^1 problem: The process control \(pid \d+\) ended \(no answer for 10 s\) /;
  await named(replaced, 5, /^rollcall_problems\{kind="process",level="risk",balancer=""\} 1$/m);
});

const redisServer = findRedisServer();
const REDIS = { timeout: 120_000, skip: redisServer === undefined ? HOW_TO_INSTALL : false };

test('a shared memory that is unreachable is named', REDIS, async (t) => {
  const redis = await startRedisServer(redisServer!);
  t.after(() => redis.close());
  const { named } = await night(t, ['--store', redis.url]);
  await named(/^All well/, 0, undefined);
  await redis.kill();
  const unreachable = /^1 problem: Nothing is shared through redis since .*/;
  await named(unreachable, 5, /^rollcall_problems\{kind="sharing",level="risk",balancer=""\} 1$/m);
});
