/** The access log of `up`: its content and its rotation. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rollcall-log-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function lines(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
}

test('json has all data of a request, and no session id', async (t) => {
  const path = join(directory(t), 'access.log');
  const site = await Site.start(t, { flags: ['--access-log', path, '--access-log-format', 'json'] });
  await site.addNode('first', { balancer: 'shop', route: 'one' }, (_, response) => response.end('hello'));
  const visitor = new Visitor(site.proxyPort, { host: 'shop.example' });
  await visitor.get('/cart;jsessionid=secret1?item=7&_s=secret2', { headers: { 'user-agent': 'test' } });
  await visitor.get('/again');
  await until(() => lines(path).length === 2, 'no lines');
  const [first, again] = lines(path).map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.doesNotMatch(readFileSync(path, 'utf8'), /secret/);
  const { time, requestId, upstreamMs, totalMs, bytes, ...rest } = first!;
  assert.deepEqual(rest, {
    client: '127.0.0.1',
    method: 'GET',
    host: 'shop.example',
    target: '/cart;jsessionid=*?item=7&_s=*',
    userAgent: 'test',
    referer: '',
    status: 200,
    balancer: 'shop:/',
    node: 'first',
    route: 'one',
    protocol: 'HTTP/1.1',
    sticky: 'new',
    retries: 0,
  });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
  assert.match(String(requestId), /^[\w-]+$/);
  for (const number of [upstreamMs, totalMs, bytes]) assert.ok(Number(number) > 0);
  assert.equal(again!['sticky'], 'sticky');
});

test('combined, on standard output; refused requests are included', async (t) => {
  const site = await Site.start(t, { flags: ['--access-log', '-', '--health-path', '/healthz'] });
  const visitor = new Visitor(site.proxyPort, { host: 'shop.example' });
  await visitor.get('/nobody');
  await visitor.get('/healthz');
  const refused = net.connect(site.proxyPort, '127.0.0.1').end('GET / HTTP/1.1\r\n\r\n').resume();
  await once(refused, 'close');
  // The line of `up --json` and three of the log, each with its line end.
  await until(() => site.output.split('\n').length > 4, 'no lines');
  assert.match(site.output, /^127\.0\.0\.1 - - \[[^\]]+\] "GET \/nobody HTTP\/1\.1" 503 \d+ "-" "-"$/m);
  assert.match(site.output, /"GET \/healthz HTTP\/1\.1" 200 /);
  assert.match(site.output, /^127\.0\.0\.1 - - \[[^\]]+\] "-" 400 \d+ "-" "-"$/m);
});

test('rotation by SIGUSR2 or rollcall rotate loses no line', async (t) => {
  const path = join(directory(t), 'access.log');
  const site = await Site.start(t, { flags: ['--access-log', path, '--workers', '2'] });
  await site.addNode('first', { balancer: 'shop' }, (_, response) => response.end('hello'));
  const ask = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await new Visitor(site.proxyPort).get('/');
  };
  await ask(20);
  renameSync(path, `${path}.1`);
  await ask(20);
  await until(() => lines(`${path}.1`).length === 40, 'the file that was moved away is not written to');
  site.signalUp('SIGUSR2');
  await until(() => existsSync(path), 'the file is not made again');
  await ask(20);
  await until(() => lines(path).length + lines(`${path}.1`).length === 60, 'lines are missing');
  assert.ok(lines(path).length > 0);

  renameSync(path, `${path}.2`);
  const rotated = await site.cli('rotate');
  assert.deepEqual([rotated.code, rotated.stdout, rotated.stderr], [0, `${path} is reopened\n`, '']);
  await until(() => existsSync(path), 'the file is not made again by rotate');
  await ask(20);
  const all = () => [path, `${path}.1`, `${path}.2`].reduce((sum, file) => sum + lines(file).length, 0);
  await until(() => all() === 80, 'lines are missing after rotate');
  assert.ok(lines(path).length > 0);
  assert.match(readFileSync(join(site.stateDir, 'audit.jsonl'), 'utf8'), /"rotate".*is reopened/);
});

test('rotate without a log file reports an error', async (t) => {
  const site = await Site.start(t);
  const { code, stderr } = await site.cli('rotate');
  assert.equal(code, 1);
  assert.match(stderr, /there is no log file to reopen: --access-log is off/);
});
