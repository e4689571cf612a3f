import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { usageLines } from './demo.ts';

test('the command for a drain has a deadline, so that --wait returns while sessions are left', () => {
  const addresses = { proxyUrl: 'http://localhost:8080', controlUrl: 'http://localhost:8400', loginUrl: undefined };
  const lines = usageLines(addresses, 8_400, undefined).split('\n');
  assert.ok(lines.includes('drain a node      npx rollcall drain demo-1 --deadline 10s --wait'), lines.join('\n'));
});

test('the sample page counts 1 time, then 2 times', { timeout: 60_000 }, async (t) => {
  const port = await freePort();
  const program = fileURLToPath(new URL('../demo/sample-node.ts', import.meta.url));
  const args = process.execArgv.filter((arg) => !arg.startsWith('--test'));
  const environment = { PORT: String(port), ROLLCALL_URL: 'http://127.0.0.1:9' };
  const child = spawn(process.execPath, [...args, program], {
    stdio: 'ignore',
    env: { ...process.env, ...environment },
  });
  t.after(() => void child.kill('SIGKILL'));
  const page = (headers: object) =>
    fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'text/html', ...headers } });
  let first: Response | undefined;
  while (first === undefined) {
    assert.equal(child.exitCode, null, 'the sample node has ended');
    first = await page({}).catch(() => undefined);
    if (first === undefined) await sleep(50);
  }
  const cookie = first.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
  assert.match(await first.text(), /<strong>1<\/strong> time\./);
  const second = await page({ cookie });
  assert.match(await second.text(), /<strong>2<\/strong> times\./);
  const plain = await page({ accept: 'text/plain' });
  assert.match(await plain.text(), /^\S+ has seen you 1 time\n$/);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}
