/** Session cookies sealed with a shared secret: no client can choose a node, and neither restart nor rotation ends a session. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { counter, type Visit } from '../site/counter.ts';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const [FIRST, SECOND] = ['first secret, long enough', 'second secret, long enough'];

test('sealed cookies hold over a restart, at another coordinator with the same file, and through a rotation', {
  timeout: 120_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-sealed-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'secret');
  const write = (...lines: string[]) => {
    writeFileSync(`${path}.new`, `${lines.join('\n')}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  };
  write(FIRST);
  const flags = ['--sticky-secret-file', path, '--route-cookie-name', 'rc_route'];
  const [one, two] = await Promise.all([Site.start(t, { flags }), Site.start(t, { flags })]);
  for (const id of ['a', 'b', 'c']) {
    const visits = new Map<string, number>();
    for (const site of [one, two]) await site.addNode(id, {}, counter({ node: id, cookie: 'SID', visits }));
  }
  const visitors = Array.from({ length: 12 }, () => new Visitor(one.proxyPort));
  const homes = await Promise.all(visitors.map((visitor) => visit(visitor)));
  const allAtHome = async (port: number): Promise<void> => {
    for (const [i, visitor] of visitors.entries()) {
      const other = new Visitor(port);
      for (const cookie of visitor.cookies) other.take(...(cookie.split('=', 2) as [string, string]));
      assert.equal((await visit(other)).node, homes[i]!.node);
    }
  };
  await allAtHome(two.proxyPort);
  await one.restart();
  await one.isCurrent();
  await allAtHome(one.proxyPort);

  write(SECOND, FIRST);
  const sealOf = async (): Promise<string> => {
    const visitor = new Visitor(one.proxyPort);
    visitor.take('rc_route', 'forged.a');
    const answer = await visitor.get('/');
    return String(answer.headers['set-cookie']);
  };
  const before = visitors[0]!.cookies.find((cookie) => cookie.startsWith('rc_route='))!;
  await until(
    async () => /rc_route=[^.]+\.[abc]\.[A-Za-z0-9_-]{22};/.test(await sealOf()),
    'new cookies are not sealed',
  );
  await allAtHome(one.proxyPort);
  write(SECOND);
  const old = new Visitor(one.proxyPort);
  old.take('rc_route', before.slice('rc_route='.length));
  await until(async () => (await old.get('/')).headers['set-cookie'] !== undefined, 'the first secret still counts');
});

test('a forged or bare route is a new session, and a broken secret file stops the start', {
  timeout: 180_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-sealed-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'secret');
  writeFileSync(path, FIRST, { mode: 0o600 });
  const site = await Site.start(t, { flags: ['--sticky-secret-file', path, '--route-cookie-name', 'rc_route'] });
  for (const id of ['a', 'b']) await site.addNode(id, {}, counter({ node: id }));
  for (const value of ['a', 'AAAAAAAAAAAAAAAA.a', 'AAAAAAAAAAAAAAAA.a.AAAAAAAAAAAAAAAAAAAAAA']) {
    const nodes = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const visitor = new Visitor(site.proxyPort);
      visitor.take('rc_route', value);
      nodes.add((await visit(visitor)).node);
    }
    assert.deepEqual([...nodes].sort(), ['a', 'b'], value);
  }
  writeFileSync(path, 'short');
  const { code, stderr } = await site.bareCli('up', '--sticky-secret-file', path);
  assert.deepEqual([code, /has 5 characters/.test(stderr)], [2, true], stderr);
});

async function visit(visitor: Visitor): Promise<Visit> {
  const answer = await visitor.get('/');
  assert.equal(answer.status, 200);
  return JSON.parse(answer.body) as Visit;
}
