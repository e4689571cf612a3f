/** `add` against a coordinator in this process, with real programs. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { type TestContext, test } from 'node:test';
import { freePort } from '@rollcall/core/testing';
import type { NodeResource, NodesResource, WriteResult } from '@rollcall/protocol';
import { type Cluster, startCluster } from '../testing/cluster.ts';
import { expectOutcomes } from '../testing/outcomes.ts';

/** The address of a program that answers with this listener. Ends with the test. */
async function program(
  t: TestContext,
  listener: RequestListener = (_, response) => response.end('ok'),
): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

async function nodesOf(cluster: Cluster): Promise<readonly NodeResource[]> {
  return (await cluster.run('nodes --json')).json<NodesResource>().nodes;
}

test('add registers a static member; its id is made of the balancer and a hash of the address', async (t) => {
  const cluster = await startCluster(t);
  const url = await program(t);
  await expectOutcomes(cluster.run, [
    { words: `add ${url} --balancer shop`, out: /^node shop-[0-9a-f]{6} is registered as a static member\n$/ },
    { words: `add ${url} --balancer shop`, out: /^node shop-[0-9a-f]{6} is registered as a static member\n$/ },
  ]);
  const nodes = await nodesOf(cluster);
  assert.deepEqual(
    nodes.map(({ balancer, url: at, liveness }) => [balancer, at, liveness]),
    [['shop', url, 'up']],
  );
});

test('the flags of add arrive at the node', async (t) => {
  const cluster = await startCluster(t);
  const url = await program(t);
  const flags =
    '--id m1 --balancer shop --route r1 --context /shop /cart --strip-prefix --host shop.test --weight 2 --group eu';
  await expectOutcomes(cluster.run, [
    { words: `add ${url} ${flags} --ttl 30s`, out: 'node m1 is registered for 30000 ms, repeat to renew' },
  ]);
  const [node] = await nodesOf(cluster);
  assert.deepEqual(
    [node?.id, node?.route, node?.contexts.map(({ path }) => path), node?.hosts, node?.weight, node?.group],
    ['m1', 'r1', ['/shop', '/cart'], ['shop.test'], 2, 'eu'],
  );
});

test('a dry run changes nothing, and --json has the answer of the admin API', async (t) => {
  const cluster = await startCluster(t);
  const url = await program(t);
  await expectOutcomes(cluster.run, [
    { words: `add ${url} --id m1 --dry-run`, out: `would register node m1 at ${url} as a static member` },
  ]);
  assert.deepEqual(await nodesOf(cluster), []);
  const result = (await cluster.run(`add ${url} --id m1 --json`)).json<WriteResult>();
  assert.deepEqual([result.isChanged, result.isDryRun, result.nodes.map(({ id }) => id)], [true, false, ['m1']]);
  await expectOutcomes(cluster.run, [
    { words: `add ${url} --id m1 --dry-run`, out: /^would replace the registration of node m1 at / },
  ]);
});

test('an address that refuses connections is registered, with the cause and the way back', async (t) => {
  const cluster = await startCluster(t);
  const url = `http://127.0.0.1:${await freePort()}`;
  await expectOutcomes(cluster.run, [
    {
      words: `add ${url} --id m1`,
      out: /^node m1 is registered as a static member, but it is joining: .*refused.*; the coordinator keeps trying; if the address is wrong: rollcall remove m1\n$/,
    },
  ]);
});

for (const [what, listener, out] of [
  ['answers', (_, response) => response.end(), /^node m1 is registered as a static member\n$/],
  [
    'answers 503',
    (_, response) => response.writeHead(503).end(),
    /, but it is not ready: it answers 503 at \/health; it gets new sessions when that page answers below 500\n$/,
  ],
  ['does not answer', () => {}, /, but it is not ready: it has not answered \/health within 1 s/],
] as const satisfies readonly (readonly [string, RequestListener, RegExp])[])
  test(`add --ready with a page that ${what}`, async (t) => {
    const cluster = await startCluster(t);
    const url = await program(t, (request, response) => {
      if (request.url === '/health') listener(request, response);
      else response.end('ok');
    });
    await expectOutcomes(cluster.run, [{ words: `add ${url} --id m1 --ready /health`, out }]);
  });

test('another address for a known id needs --replace', async (t) => {
  const cluster = await startCluster(t);
  const [first, second] = [await program(t), await program(t)];
  await expectOutcomes(cluster.run, [
    { words: `add ${first} --id m1`, out: /is registered/ },
    { words: `add ${second} --id m1`, code: 1, err: /m1/ },
    { words: `add ${second} --id m1 --replace`, out: /is registered/ },
  ]);
  assert.deepEqual(
    (await nodesOf(cluster)).map(({ url }) => url),
    [second],
  );
});

test('add refuses wrong words with exit code 2 and changes nothing', async (t) => {
  const cluster = await startCluster(t);
  await expectOutcomes(cluster.run, [
    { words: 'add 10.0.0.5', code: 2, err: /^"10\.0\.0\.5" is not the address of a node; use one like http/ },
    { words: 'add ajp://10.0.0.5:8009 --ready /', code: 2, err: /^--ready is for http and https addresses/ },
    { words: 'add ftp://10.0.0.5', code: 2, err: /is not the address of a node/ },
    { words: 'add http://u:secret@10.0.0.5', code: 2, err: /^"http:\/\/\*\*\*@10\.0\.0\.5" is not the address/ },
    { words: 'add http://10.0.0.5:3000 --id a.b', code: 2, err: /^"a\.b" is not a name: letters, digits/ },
    { words: 'add http://10.0.0.5:3000 --weight 0', code: 2, err: /weight "0": write a number from 0\.001 to 100/ },
    { words: 'add http://10.0.0.5:3000 --ttl 2h', code: 2, err: /^--ttl "2h" is too long: .* to 1h\n$/ },
    { words: 'add http://10.0.0.5:3000 --context shop', code: 2, err: /shop/ },
    { words: 'add http://10.0.0.5:3000 --ready health', code: 2, err: /health/ },
  ]);
  assert.deepEqual(await nodesOf(cluster), []);
});
