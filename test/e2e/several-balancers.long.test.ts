/** Several applications behind one address: routing of requests, and independent sessions of one browser. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import type net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StickyMode } from '@rollcall/protocol';
import express from 'express';
import session from 'express-session';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const TIMEOUT_MS = 120_000;

interface Visit {
  readonly node: string;
  readonly count: number;
}

/** An Express application with express-session, its cookie named as always and kept to its own path. */
function shopLike(node: string, path: string, mode: StickyMode): RequestListener {
  const app = express();
  app.use(
    session({
      secret: 'one secret',
      resave: false,
      saveUninitialized: true,
      cookie: { path },
      ...(mode === 'suffix' ? { genid: () => `${Math.random().toString(36).slice(2)}.${node}` } : {}),
    }),
  );
  app.get(/.*/, (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.json({ node, count: request.session.visits } satisfies Visit);
  });
  return app;
}

for (const mode of ['insert', 'suffix', 'rewrite'] as const)
  test(`${mode}: /shop and /blog with the same cookie names in one browser, alternating`, {
    timeout: TIMEOUT_MS,
  }, async (t) => {
    const site = await Site.start(t);
    for (const balancer of ['shop', 'blog'])
      for (const number of [1, 2, 3]) {
        const id = `${balancer}-${number}`;
        const put = { balancer, contexts: [`/${balancer}`], sticky: { mode } };
        await site.addNode(id, put, shopLike(id, `/${balancer}`, mode));
      }
    const visitors = Array.from({ length: 15 }, () => ({
      visitor: new Visitor(site.proxyPort),
      home: new Map<string, string>(),
    }));
    for (let count = 1; count <= 4; count++)
      for (const { visitor, home } of visitors)
        for (const path of ['/shop', '/blog']) {
          const visit: Visit = JSON.parse((await visitor.get(`${path}/page`)).body);
          if (!home.has(path)) home.set(path, visit.node);
          assert.deepEqual([visit.node, visit.count], [home.get(path), count], path);
        }
    for (const path of ['/shop', '/blog'])
      assert.equal(new Set(visitors.map(({ home }) => home.get(path))).size, 3, 'all nodes have sessions');
  });

test('the longest context wins, the exact host before the wildcard, and each balancer reads its own cookie', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t);
  const answer =
    (id: string): RequestListener =>
    (_, response) =>
      response.end(id);
  const places: readonly (readonly [id: string, contexts: readonly string[], hosts: readonly string[]])[] = [
    ['root', ['/'], ['*']],
    ['app', ['/app'], ['*']],
    ['admin', ['/app/admin'], ['*']],
    ['shop', ['/'], ['shop.example']],
    ['any', ['/'], ['*.example']],
  ];
  for (const [balancer, contexts, hosts] of places)
    for (const number of [1, 2])
      await site.addNode(`${balancer}-${number}`, { balancer, contexts, hosts }, answer(balancer));
  const ask = async (path: string, host = 'other.test') => (await new Visitor(site.proxyPort, { host }).get(path)).body;
  for (const [path, balancer] of [
    ['/', 'root'],
    ['/apple', 'root'],
    ['/app', 'app'],
    ['/app/', 'app'],
    ['/app?x', 'app'],
    ['/app;v=1/x', 'app'],
    ['/app/administrator', 'app'],
    ['/app/admin', 'admin'],
    ['/app/admin/users', 'admin'],
    ['/App', 'root'],
  ] as const)
    assert.equal(await ask(path), balancer, path);
  for (const path of ['/app/%61dmin', '/app/x/../admin', '/x/../app', '/app%2fadmin'])
    assert.equal((await new Visitor(site.proxyPort).get(path)).status, 400, path);
  for (const [host, balancer] of [
    ['shop.example', 'shop'],
    ['SHOP.Example:8080', 'shop'],
    ['a.example', 'any'],
    ['a.b.example', 'any'],
    ['example', 'root'],
    ['shop.example.test', 'root'],
  ] as const)
    assert.equal(await ask('/', host), balancer, host);
  // A browser sends the cookies of the outer and the inner context, the inner first.
  const visitor = new Visitor(site.proxyPort);
  const homes: string[] = [];
  for (let round = 0; round < 5; round++)
    for (const [i, path] of ['/', '/app', '/app/admin'].entries()) {
      const { headers } = await visitor.get(path);
      if (round === 0) homes[i] = String(headers['set-cookie']);
      else assert.equal(headers['set-cookie'], undefined, `${path} has its session: ${homes[i]}`);
    }
  assert.equal(visitor.cookies.length, 3);
});

test('a second claimant of a path gets the remedy', { timeout: TIMEOUT_MS }, async (t) => {
  const site = await Site.start(t);
  await site.addNode('demo-1', { balancer: 'demo' }, (_, response) => response.end());
  const run = site.start([
    'run',
    '--balancer',
    'shop',
    '--',
    'python3',
    '-m',
    'http.server',
    '{port}',
    '--bind',
    '127.0.0.1',
  ]);
  let said = '';
  run.stderr!.on('data', (octets: Buffer) => (said += octets.toString()));
  const sentence =
    /`\/` on `\*` is served by balancer demo \(1 node\); use --context \/shop, --host shop\.localhost, or --balancer demo/;
  await until(() => sentence.test(said), 'the remedy is not logged');
  assert.equal(await site.node('shop-1'), undefined);
});

test('--static serves a directory as a separate balancer, --exclude forwards a path to no node', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const www = join(process.cwd(), 'node_modules', 'send');
  const site = await Site.start(t, { flags: ['--static', `/files=${www}`, '--exclude', '/private', '/files/lib'] });
  const seen: string[] = [];
  await site.addNode('a', {}, (request, response) => {
    seen.push(request.url!);
    response.end('node');
  });
  const visitor = new Visitor(site.proxyPort);
  await until(async () => (await visitor.get('/files/package.json')).status === 200, 'the files are not served');
  const file = await visitor.get('/files/package.json');
  assert.equal(JSON.parse(file.body).name, 'send');
  assert.equal(file.headers['set-cookie'], undefined);
  assert.equal((await site.balancer('static-files')).sticky.mode, 'none');
  for (const [path, status] of [
    ['/files/none', 404],
    ['/files/lib/x', 404],
    ['/private', 404],
    ['/private/x?y', 404],
    ['/%70rivate/x', 400],
    ['/x/../private', 400],
    ['/privateer', 200],
  ] as const)
    assert.equal((await visitor.get(path)).status, status, path);
  assert.deepEqual(
    seen.filter((url) => url !== '/'),
    ['/privateer'],
  );
  const { code, stderr } = await site.bareCli('up', '--static', '/files=/no/such/directory');
  assert.deepEqual([code, /there is no directory \/no\/such\/directory/.test(stderr)], [2, true], stderr);
});

test('the same files by a static server of the shelf, registered as its own balancer', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t);
  mkdirSync(join(site.directory, 'www', 'files'), { recursive: true });
  writeFileSync(join(site.directory, 'www', 'files', 'a.txt'), 'from python');
  await site.addNode('app', {}, (_, response) => response.end('application'));
  site.start([
    'run',
    '--balancer',
    'files',
    '--context',
    '/files',
    '--sticky',
    'none',
    '--',
    'python3',
    '-m',
    'http.server',
    '{port}',
    '--bind',
    '127.0.0.1',
    '--directory',
    join(site.directory, 'www'),
  ]);
  const visitor = new Visitor(site.proxyPort);
  await until(async () => (await visitor.get('/files/a.txt')).body === 'from python', 'the files are not served');
  assert.equal((await visitor.get('/files/a.txt')).headers['set-cookie'], undefined);
  assert.equal((await visitor.get('/other')).body, 'application');
});

test('a node that redirects to its own address is never seen by the client', { timeout: TIMEOUT_MS }, async (t) => {
  const site = await Site.start(t, { flags: ['--trusted-proxy', '127.0.0.1'] });
  const { port } = await site.addNode('a', {}, (request, response) => {
    const own = `http://localhost:${(request.socket.address() as net.AddressInfo).port}`;
    const fields: Record<string, [string, string]> = {
      '/absolute': ['Location', `${own}/next?x#y`],
      '/relative': ['Location', '/next'],
      '/other': ['Location', 'http://elsewhere.test/next'],
      '/content': ['Content-Location', `${own}/next`],
      '/refresh': ['Refresh', `0; url=${own}/next`],
    };
    const [name, value] = fields[request.url!] ?? ['X-Nothing', ''];
    response.writeHead(302, { [name]: value }).end();
  });
  const visitor = new Visitor(site.proxyPort, { host: 'shop.example' });
  const get = async (path: string, field: string, headers = {}) =>
    (await visitor.get(path, { headers })).headers[field];
  assert.equal(await get('/absolute', 'location'), 'http://shop.example/next?x#y');
  assert.equal(await get('/absolute', 'location', { 'x-forwarded-proto': 'https' }), 'https://shop.example/next?x#y');
  assert.equal(await get('/relative', 'location'), '/next');
  assert.equal(await get('/other', 'location'), 'http://elsewhere.test/next');
  assert.equal(await get('/content', 'content-location'), 'http://shop.example/next');
  assert.equal(await get('/refresh', 'refresh'), '0; url=http://shop.example/next');
  assert.ok(port > 0);
});
