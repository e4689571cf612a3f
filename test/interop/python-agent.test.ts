/** The agent in Python, against the real coordinator and proxy, with Python's http.server as its node. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, LiveCluster } from '../live-cluster/cluster.ts';

const AGENT = fileURLToPath(new URL('rollcall_agent.py', import.meta.url));
const hasPython = spawnSync('python3', ['--version']).status === 0;

/** What the agent tells, as it comes. */
class Told {
  readonly #lines: Record<string, unknown>[] = [];
  readonly #waiting: { readonly event: string; readonly resolve: (line: Record<string, unknown>) => void }[] = [];

  constructor(child: ChildProcess) {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#take(JSON.parse(text.slice(0, end)) as Record<string, unknown>);
        text = text.slice(end + 1);
      }
    });
  }

  #take(line: Record<string, unknown>): void {
    const at = this.#waiting.findIndex(({ event }) => event === line['event']);
    if (at >= 0) this.#waiting.splice(at, 1)[0]!.resolve(line);
    else this.#lines.push(line);
  }

  /** The next line with this event; each line is given once. */
  next(event: string): Promise<Record<string, unknown>> {
    const at = this.#lines.findIndex((line) => line['event'] === event);
    if (at >= 0) return Promise.resolve(this.#lines.splice(at, 1)[0]!);
    return new Promise((resolve) => this.#waiting.push({ event, resolve }));
  }
}

test('an agent written from the document alone registers, serves, comes back and leaves', {
  timeout: 180_000,
  skip: hasPython ? false : 'python3 is missing: apt-get install python3',
}, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  const port = await freePort();
  const program = spawn(
    'python3',
    ['-m', 'http.server', String(port), '--bind', '127.0.0.1', '--directory', cluster.dir],
    { stdio: 'ignore' },
  );
  t.after(() => program.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  while (
    !(await fetch(url).then(
      (response) => response.ok,
      () => false,
    ))
  )
    await sleep(20);
  const agent = spawn(
    'python3',
    [
      AGENT,
      '--coordinator',
      cluster.controlUrl.replace('http', 'ws'),
      '--id',
      'py-1',
      '--balancer',
      'py',
      '--url',
      url,
      '--host',
      'py.test',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.after(() => agent.kill('SIGKILL'));
  const told = new Told(agent);
  assert.equal((await told.next('registered'))['route'], 'py-1');
  await cluster.untilUp('py-1');
  // The worker hears of it at most 50 ms later.
  while ((await statusThrough(cluster)) !== 200) await sleep(10);

  await cluster.killControl();
  await told.next('lost');
  await told.next('registered');
  assert.equal(await statusThrough(cluster), 200);

  const drained = await cluster.cli('drain', 'py-1', '--reason', 'deploy');
  assert.equal(drained.code, 0, drained.stderr);
  const wanted = await told.next('wanted');
  assert.deepEqual([wanted['status'], wanted['reason']], ['draining', 'deploy']);

  const ended = new Promise((resolve) => agent.once('exit', resolve));
  agent.kill('SIGTERM');
  await told.next('left');
  assert.equal(await ended, 0);
  assert.equal(await statusThrough(cluster), 503);
});

function statusThrough(cluster: LiveCluster): Promise<number> {
  return new Promise((resolve, reject) => {
    request(
      { host: '127.0.0.1', port: cluster.proxyPort, path: '/', headers: { host: 'py.test' }, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    )
      .on('error', reject)
      .end();
  });
}
