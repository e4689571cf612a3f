/**
 * The race of an idle connection: the node closes it at the moment a request is sent on it. Ten thousand requests at random gaps around a
 * keep-alive of one second must all be answered, requests that cannot be repeated too.
 *
 * Each client has an upstream of its own, all of them at one server, so that every connection idles for the whole gap. Without the margin
 * in `usableIdleMs` (announced connections used until the very end) 246 POSTs were lost.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Rng } from '@rollcall/core';
import { seededRng, TYPESCRIPT } from '@rollcall/core/testing';
import { Engine } from './engine.ts';
import { connectRawClient } from './raw-client.fixture.ts';
import type { RoutableHead, RoutingDecision } from './router.ts';
import { ScriptedRouter, upstreamNode } from './scripted-router.fixture.ts';

const SEED = 20_261_121;
const PROGRAM = fileURLToPath(new URL('keep-alive-node.fixture.ts', import.meta.url));
const CLIENTS = 300;
const REQUESTS = 10_000;

/** How the keep-alive of a client's node is known. */
const KNOWN = ['registered', 'by its answers', 'not at all'] as const;

/** A router that takes the node's number from the target: `/…/12/…` goes to node 12. */
class NumberedRouter extends ScriptedRouter {
  override choose(head: RoutableHead, decision: RoutingDecision): 'forward' {
    super.choose(head, decision);
    decision.node = this.nodes[Number(head.target.split('/')[2])];
    return 'forward';
  }

  override chooseAgain(): 'unavailable' {
    return 'unavailable';
  }
}

async function startServer(): Promise<{ readonly port: number; close(): void }> {
  const child = spawn(process.execPath, [...TYPESCRIPT, PROGRAM], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return { port: Number(line.toString()), close: () => child.kill('SIGKILL') };
}

/** Half of them within a few milliseconds of the second, the others at any time around it. */
function gapMs(rng: Rng): number {
  return rng() < 0.5 ? 990 + rng() * 14 : 600 + rng() * 700;
}

test(`10,000 requests at random gaps around a keep-alive of 1 s: none fails, none is sent twice (seed ${SEED})`, {
  timeout: 120_000,
}, async (t) => {
  const server = await startServer();
  const router = new NumberedRouter();
  for (let i = 0; i < CLIENTS; i++) {
    const isRegistered = KNOWN[i % 3] === 'registered';
    router.nodes.push(upstreamNode(`n${i}`, server.port, { keepAliveMs: isRegistered ? 1_000 : undefined }));
  }
  const engine = new Engine({ router });
  t.after(async () => {
    await engine.close(0);
    server.close();
  });
  const { port } = await engine.listen({ host: '127.0.0.1', port: 0 });
  const rng = seededRng(SEED);
  const failed = new Map<string, number>();
  let begun = 0;
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, i) => {
      const known = KNOWN[i % 3]!;
      const client = await connectRawClient(port);
      // Not all at the same time.
      await sleep(rng() * 1_000);
      for (; begun < REQUESTS; await sleep(gapMs(rng))) {
        const isPost = rng() < 0.5;
        const target = `/${known === 'by its answers' ? 'by-answers' : 'silent'}/${i}/${begun++}`;
        client.received = '';
        client.write(
          `${isPost ? 'POST' : 'GET'} ${target} HTTP/1.1\r\nHost: a\r\n${isPost ? 'Content-Length: 5\r\n\r\nhello' : '\r\n'}`,
        );
        const answer = await client.sees(`\r\n\r\n`);
        if (answer.startsWith('HTTP/1.1 200 ') && (await client.sees(target)).endsWith(target)) continue;
        const what = `${isPost ? 'POST' : 'GET'}, keep-alive known ${known}: ${answer.slice(9, 12) || 'no answer'}`;
        failed.set(what, (failed.get(what) ?? 0) + 1);
        await client.until(() => client.received.endsWith('\n'));
      }
      client.close();
    }),
  );
  const doubled = await (await fetch(`http://127.0.0.1:${server.port}/doubled`)).text();
  t.diagnostic(`${begun} requests, ${engine.counters(0).retries} retried by the proxy, ${doubled} POSTs doubled`);
  assert.deepEqual([...failed], []);
  assert.equal(doubled, '0');
});
