/** `rollcall scale` where copies cannot come up, and where an operator has drained a node. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { EventResource, ScaleResult, StatusResource } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

/** A web server, except in copies with the environment variable `NODE_THAT_RUNS` and another id. */
const PROGRAM = `
const { NODE_THAT_RUNS, ROLLCALL_NODE_ID, PORT } = process.env;
if (NODE_THAT_RUNS !== undefined && NODE_THAT_RUNS !== ROLLCALL_NODE_ID) process.exit(1);
require('node:http').createServer((request, response) => response.end('ok')).listen(PORT, '127.0.0.1');`;

/** A wrapper whose copies are `shop`, `shop-2` and so on. Resolves with its log when `up` nodes are up. */
async function wrapper(
  site: Site,
  up: number,
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<() => string> {
  const words = ['run', '--balancer', 'shop', '--id', 'shop', ...flags, '--', process.execPath, '-e', PROGRAM];
  const run = site.start(words, environment);
  let log = '';
  run.stderr!.on('data', (octets: Buffer) => {
    log += octets.toString();
  });
  await until(async () => (await site.balancer('shop')).nodesUp === up, `${up} nodes are not up`);
  return () => log;
}

async function failingEvents(site: Site): Promise<readonly EventResource[]> {
  const { body } = await site.admin<{ events: EventResource[] }>('GET', '/v1/events');
  return body.events.filter(({ type }) => type === 'copies-failing');
}

/** A server on a port whose lower neighbour is free. */
async function holderOfSecondPort(t: TestContext): Promise<{ readonly server: Server; readonly port: number }> {
  const listening = async (port: number): Promise<Server | undefined> => {
    const server = createServer((socket) => socket.destroy());
    const isListening = once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.listen(port, '127.0.0.1');
    return (await isListening) ? server : undefined;
  };
  for (;;) {
    const server = (await listening(0))!;
    const { port } = server.address() as { port: number };
    const neighbour = await listening(port - 1);
    if (neighbour !== undefined) {
      neighbour.close();
      t.after(() => server.close());
      return { server, port };
    }
    server.close();
  }
}

test('a copy whose port is taken is reported until the port is free', async (t) => {
  const site = await Site.start(t);
  const { server, port } = await holderOfSecondPort(t);
  const log = await wrapper(site, 1, ['--port', String(port - 1)]);
  const cause = `port ${port} is taken by pid ${process.pid} \\(.*\\)`;

  const asked = await site.cli('scale', 'shop=2');
  assert.deepEqual([asked.code, asked.stderr], [0, '']);
  assert.match(
    asked.stdout,
    // On a busy machine the wrapper may not have tried yet.
    new RegExp(`^balancer shop goes from 1 to 2 nodes\n1 of 2 up(, 1 failing: copy 2 at .*: ${cause})?; later: .*\n$`),
  );
  await until(
    async () => new RegExp(`^${cause}`).test((await site.balancer('shop')).copies?.failing[0]?.cause ?? ''),
    'the cause is not reported',
  );
  assert.match(log(), new RegExp(`copy 2: ${cause}: end that process, .*; trying again in [\\d.]+ s`));

  await until(
    async () => ((await site.balancer('shop')).copies?.failing[0]?.attempts ?? 0) >= 3,
    'the copy is not tried three times',
  );
  assert.equal((await failingEvents(site)).length, 1, 'one event for all attempts');

  const again = await site.json<ScaleResult>('scale', 'shop=2');
  assert.equal(again.isChanged, false);
  assert.match(
    again.message,
    new RegExp(`keep 2 nodes already: 1 up, 1 failing: copy 2 at .*: ${cause}; failing copies are started again now$`),
  );
  assert.deepEqual([again.copies?.wanted, again.copies?.kept, again.copies?.up], [2, 2, 1]);

  const waited = await site.cli('scale', 'shop=2', '--wait');
  assert.equal(waited.code, 1);
  assert.match(
    waited.stderr,
    new RegExp(
      `^rollcall: 1 of 2 up, 1 failing: copy 2 at .*: ${cause}; every missing copy has failed at least 3 times`,
    ),
  );
  const shown = await site.cli('balancer', 'shop');
  assert.match(
    shown.stdout,
    /^2 nodes wanted, 1 wrapper keeping 2: 1 up, 1 failing\nCOPY +HOST +FAILED +NEXT +CAUSE\n +2 /,
  );
  const { advice } = (await site.admin<StatusResource>('GET', '/v1/status')).body;
  assert.match(advice.join('\n'), new RegExp(`Balancer shop wants 2 nodes: 1 up, 1 failing: copy 2 at .*: ${cause}`));

  server.close();
  await once(server, 'close');
  const up = await site.cli('scale', 'shop=2', '--wait', '--timeout', '60s');
  assert.deepEqual([up.code, up.stderr], [0, '']);
  // The copy no longer fails when it has been ready for ten seconds.
  await until(async () => (await site.balancer('shop')).copies?.failing.length === 0, 'the copy still fails');
});

test('copies whose program ends at once end the wait with their cause', async (t) => {
  const site = await Site.start(t);
  await wrapper(site, 1, [], { NODE_THAT_RUNS: 'shop' });
  const { code, stdout, stderr } = await site.cli('scale', 'shop=3', '--wait');
  assert.equal(code, 1);
  assert.match(stdout, /^1 of 3 up, 2 failing: copies 2, 3 at .*: the program has ended with 1 before it was ready$/m);
  assert.match(stderr, /copies 2, 3 at .*: the program has ended with 1 before it was ready; every missing copy/);
  const down = await site.cli('scale', 'shop=1', '--wait');
  assert.deepEqual([down.code, down.stderr], [0, '']);
  assert.equal((await site.balancer('shop')).copies?.wanted, 1);
});

test('a node that an operator has drained counts, and the wait ends', async (t) => {
  const site = await Site.start(t);
  await wrapper(site, 3, ['--count', '3']);
  assert.equal((await site.cli('drain', 'shop-1')).code, 0);
  for (const [count, line] of [
    [4, '3 of 4 up, 1 drained by an operator (counted)'],
    [2, '1 of 2 up, 1 drained by an operator (counted)'],
  ] as const) {
    const { code, stdout, stderr } = await site.cli('scale', `shop=${count}`, '--wait', '--timeout', '60s');
    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(stdout.includes(`${line}\ndone after `), stdout);
  }
});
