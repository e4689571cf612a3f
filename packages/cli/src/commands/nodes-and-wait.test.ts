/** Output of `nodes` and `drain --wait`, against a server with the answers of the admin API. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listening } from '@rollcall/agent/testing';

const MAIN = new URL('../main.ts', import.meta.url).href;
const NODE = {
  id: 'n1',
  balancer: 'shop',
  url: 'http://127.0.0.1:3000',
  status: 'draining',
  liveness: 'up',
  isReady: true,
  loadFactor: 90,
  sessions: 2,
  sessionsSeenOnce: 0,
  sessionsFrom: 'workers',
  inFlight: 1,
  warnings: [],
  wanted: {},
  reported: {},
  observed: { isEjected: false, parked: 0, ports: [] },
};
const leaving = (sessionsLeft: number) => ({
  ...NODE,
  drain: { isDone: sessionsLeft === 0, sessionsLeft, sessionsSeenOnce: 7, inFlight: 0, tunnels: 0, waitingFor: [] },
});

/** Runs a command against a server with these answers to GET, the last one repeatedly, and to POST. */
async function run(t: TestContext, words: readonly string[], answers: object[], posted: object = {}) {
  const port = await listening(
    t,
    createServer((request, response) => {
      if (request.url === '/livez') response.end('ok\n');
      else if (request.method === 'POST' && 'code' in posted) response.writeHead(404).end(JSON.stringify(posted));
      else if (request.url?.startsWith('/v1/balancers/') && answers.length === 0) response.writeHead(404).end('{}');
      else if (request.method === 'POST') response.end(JSON.stringify(posted));
      else response.end(JSON.stringify(answers.length > 1 ? answers.shift() : answers[0]));
    }),
  );
  const where = ['--coordinator', `http://127.0.0.1:${port}`, '--state-dir', '/none'];
  const script = `import(${JSON.stringify(MAIN)}).then(({ main }) => main(process.argv))`;
  const args = [...process.execArgv.filter((arg) => !arg.startsWith('--test')), '-e', script, 'rollcall'];
  const child = spawn(process.execPath, [...args, ...words, ...where], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => (stdout += String(text)));
  child.stderr.on('data', (text) => (stderr += String(text)));
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

test('nodes shows the process id that the agent reported', async (t) => {
  const nodes = [
    { ...NODE, process: { host: 'web1', pid: 812 } },
    { ...NODE, id: 'static' },
  ];
  const { stdout, stderr } = await run(t, ['nodes'], [{ nodes }]);
  const [head = '', first = '', second = ''] = stdout.split('\n');
  assert.match(head, /^NODE +BALANCER +URL +PID +STATUS/, stderr);
  assert.match(first, /^n1 +shop +http:\/\/127\.0\.0\.1:3000 +812 +draining/);
  assert.match(second, /^static +shop +http:\/\/127\.0\.0\.1:3000 +- +draining/);
});

test('drain --wait prints what it waits for, each change, and a last line when the drain is complete', async (t) => {
  const posted = { message: 'node n1 is now draining', nodes: [leaving(2)], isChanged: true };
  const drained = await run(t, ['drain', 'n1', '--wait'], [leaving(2), leaving(2), leaving(1), leaving(0)], posted);
  assert.equal(drained.code, 0, drained.stderr);
  assert.match(
    drained.stderr,
    new RegExp(
      [
        '^node n1 is now draining',
        'waiting until the drain of 1 node ends, without a time limit \\(--timeout\\); Ctrl-C ends the wait and not the drain',
        'n1: 2 sessions and 7 seen once, 0 in flight, 0 tunnels left',
        'n1: 1 session and 7 seen once, 0 in flight, 0 tunnels left',
        'n1: empty',
        'done after \\d+m?s: empty',
        '$',
      ].join('\n'),
    ),
  );
});

test('a command on a node that does not exist names the next step', async (t) => {
  const none = { code: 'not-found', detail: 'there is no such node or balancer' };
  const balancer = await run(t, ['drain', 'shop'], [{ name: 'shop' }], none);
  assert.equal(balancer.code, 1, balancer.stderr);
  assert.match(balancer.stderr, /; shop is a balancer: rollcall drain --balancer shop\n$/);
  for (const words of [
    ['drain', 'nosuch'],
    ['scale', 'nosuch=3'],
    ['stop', '--yes', '--group', 'nosuch'],
  ])
    assert.match((await run(t, words, [], none)).stderr, /[;?] rollcall nodes lists the nodes and their balancers\n$/);
});
