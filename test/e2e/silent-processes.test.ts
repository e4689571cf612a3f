/** With several workers no connection waits for a worker that does not answer, and none is served twice when it resumes. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import type { StatusResource } from '@rollcall/protocol';
import { Site, until } from '../site/site.ts';

/** A worker is silent after 1 s, a connection it has not taken goes to another after 1.5 s, and a request takes its time. */
const WAIT_MS = 4_000;

interface Answer {
  readonly status: number;
  readonly tookMs: number;
}

/** A request on a connection of its own. */
function ask(port: number, path: string): Promise<Answer> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve({ status: response.statusCode ?? 0, tookMs: performance.now() - startMs }));
    });
    request.once('error', reject);
  });
}

test('one of two workers is stopped: the other serves all requests, each once', async (t) => {
  const site = await Site.start(t, { flags: ['--workers', '2'] });
  const seen = new Map<string, number>();
  await site.addNode('first', { balancer: 'shop' }, ({ url = '' }, response) => {
    seen.set(url, (seen.get(url) ?? 0) + 1);
    response.end('whole');
  });
  const { processes } = (await site.admin<StatusResource>('GET', '/v1/status')).body;
  const { pid } = processes.find(({ name }) => name === 'worker 0')!;
  process.kill(pid!, 'SIGSTOP');
  const asked: string[] = [];
  // The first come while it is not known to be silent.
  for (const [batch, slowestMs] of [WAIT_MS, WAIT_MS / 2].entries()) {
    const paths = Array.from({ length: 40 }, (_, i) => `/${batch}-${i}`);
    asked.push(...paths);
    const answers = await Promise.all(paths.map((path) => ask(site.proxyPort, path)));
    const tookMs = Math.max(...answers.map((answer) => answer.tookMs));
    t.diagnostic(`slowest of ${answers.length}: ${Math.round(tookMs)} ms`);
    assert.deepEqual(
      answers.filter(({ status }) => status !== 200),
      [],
    );
    assert.ok(tookMs < slowestMs, `${tookMs} ms`);
  }
  // Connections that were handed to it must not be served twice.
  process.kill(pid!, 'SIGCONT');
  await until(async () => {
    const before = seen.size;
    for (let i = 0; i < 10; i++) await ask(site.proxyPort, `/after-${before}-${i}`);
    const { workers } = (await site.admin<StatusResource>('GET', '/v1/status')).body;
    return workers.length === 2 && workers.every(({ requests }) => requests > 0);
  }, 'the worker does not come back');
  for (const path of asked) assert.equal(seen.get(path), 1, path);
});
