/**
 * Every mode with typical programs: two nodes each, which are independent and have their sessions in memory or in their own
 * files. A session that leaves its node would count from 1 again.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fastifyCookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import type { StickyHint, StickyMode } from '@rollcall/protocol';
import express from 'express';
import session from 'express-session';
import Fastify from 'fastify';
import { counter } from '../site/counter.ts';
import { Site, until } from '../site/site.ts';
import { noTomcat, tomcatCommand } from '../site/tomcat.ts';
import { Visitor } from '../site/visitor.ts';

const TIMEOUT_MS = 180_000;
const SESSIONS = 20;
const noPhp = existsSync('/usr/bin/php') ? false : 'apt-get install php-cli';

interface Visit {
  readonly node: string;
  readonly count: number;
  /** Link with the session id, if it is in the URL. */
  readonly link?: string;
}

interface Application {
  readonly path: string;
  readonly usesLinks?: boolean;
  /** Sessions live on when the node is started again. */
  readonly keepsSessions?: boolean;
  /** Starts node `id`; resolves when the proxy knows it. */
  start(id: string): Promise<unknown>;
  /** Ends it and starts it again, with the same id and route. */
  restart(id: string): Promise<unknown>;
}

/** Twenty sessions: visited, then a node joins, one is drained, one is started again. */
async function prove(site: Site, app: Application): Promise<void> {
  for (const id of ['n1', 'n2']) await app.start(id);
  const visitors = Array.from({ length: SESSIONS }, () => ({
    visitor: new Visitor(site.proxyPort, { takesCookies: !app.usesLinks }),
    home: '',
    path: app.path,
    count: 0,
  }));
  const round = async (): Promise<void> => {
    for (const person of visitors) {
      const answer = await person.visitor.get(person.path);
      assert.equal(answer.status, 200, answer.body);
      const visit: Visit = JSON.parse(answer.body);
      person.home ||= visit.node;
      person.count += 1;
      assert.deepEqual([visit.node, visit.count], [person.home, person.count]);
      if (app.usesLinks) person.path = visit.link!.replace(/^\?/, `${app.path}?`);
    }
  };
  await round();
  assert.deepEqual([...new Set(visitors.map(({ home }) => home))].sort(), ['n1', 'n2']);
  await round();
  await app.start('n3');
  await round();
  await site.admin('POST', '/v1/nodes/n1/drain', {});
  await site.isCurrent();
  await round();
  await site.admin('POST', '/v1/nodes/n1/enable', {});
  await app.restart('n2');
  for (const person of visitors) if (person.home === 'n2' && !app.keepsSessions) person.count = 0;
  // In links the id of before the restart names the node still; the program gives another one.
  await round();
  await round();
}

/** A program that the test serves itself. */
function served(
  site: Site,
  sticky: StickyHint,
  path: string,
  make: (id: string) => RequestListener | Promise<RequestListener>,
): Application {
  const running = new Map<string, Awaited<ReturnType<Site['addNode']>>>();
  const start = async (id: string): Promise<void> => {
    running.set(id, await site.addNode(id, { sticky, replace: running.has(id) }, await make(id)));
  };
  return {
    path,
    start,
    async restart(id) {
      const before = running.get(id);
      await start(id);
      await before?.stop();
    },
  };
}

/** A program through `rollcall run`. */
function wrapped(
  site: Site,
  flags: readonly string[],
  path: string,
  command: (id: string) => readonly string[],
): Application {
  const running = new Map<string, ReturnType<Site['start']>>();
  const start = async (id: string): Promise<void> => {
    running.set(
      id,
      site.start(['run', '--id', id, '--ready', path, '--ready-timeout', '60s', ...flags, '--', ...command(id)]),
    );
    await until(async () => (await site.node(id))?.liveness === 'up', `${id} is not up`);
    await site.isCurrent();
  };
  return {
    path,
    start,
    async restart(id) {
      const child = running.get(id)!;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await exited;
      await start(id);
    },
  };
}

async function withSite(t: TestContext): Promise<Site> {
  return Site.start(t);
}

test('suffix: links that carry ?_s=ID.ROUTE and no cookie at all', { timeout: TIMEOUT_MS }, async (t) => {
  const site = await withSite(t);
  const app = served(site, { mode: 'suffix' }, '/', (id) => counter({ node: id, parameter: '_s', route: id }));
  await prove(site, { ...app, path: '/page', usesLinks: true });
});

test('suffix: ;jsessionid=ID.ROUTE in the path', { timeout: TIMEOUT_MS }, async (t) => {
  const site = await withSite(t);
  const app = served(site, { mode: 'suffix' }, '/', (id) => {
    const count = counter({ node: id, parameter: 'jsessionid', route: id });
    return (request, response) => {
      const end = response.end.bind(response) as (body: string) => typeof response;
      response.end = ((body: string) => end(body.replace('"link":"?', '"link":"/page;'))) as typeof response.end;
      count(request, response);
    };
  });
  await prove(site, { ...app, path: '/page', usesLinks: true });
});

for (const usesLinks of [false, true])
  test(`suffix: Tomcat with jvmRoute, ${usesLinks ? 'ids in links only' : 'by cookie'}`, {
    timeout: TIMEOUT_MS,
    skip: noTomcat,
  }, async (t) => {
    const site = await withSite(t);
    const app = wrapped(site, ['--sticky', 'suffix'], '/visit.jsp', (id) => tomcatCommand(join(site.directory, id)));
    await prove(site, { ...app, usesLinks });
  });

for (const mode of ['insert', 'rewrite'] as const)
  test(`${mode}: PHP's own sessions`, { timeout: TIMEOUT_MS, skip: noPhp }, async (t) => {
    const site = await withSite(t);
    const app = wrapped(site, ['--sticky', mode], '/index.php', (id) => {
      const directory = join(site.directory, id);
      mkdirSync(join(directory, 'sessions'), { recursive: true });
      writeFileSync(
        join(directory, 'index.php'),
        '<?php session_start(); $_SESSION["n"] = ($_SESSION["n"] ?? 0) + 1; echo json_encode(["node" => getenv("ROLLCALL_NODE_ID"), "count" => $_SESSION["n"]]);',
      );
      return ['php', '-d', `session.save_path=${directory}/sessions`, '-S', '127.0.0.1:{port}', '-t', directory];
    });
    await prove(site, { ...app, keepsSessions: true });
  });

function expressCounter(id: string, mode: StickyMode): RequestListener {
  const app = express();
  const genid = mode === 'suffix' ? { genid: () => `${Math.random().toString(36).slice(2)}.${id}` } : {};
  app.use(session({ secret: 'one secret', resave: false, saveUninitialized: true, ...genid }));
  app.get('/', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.json({ node: id, count: request.session.visits } satisfies Visit);
  });
  return app;
}

async function fastifyCounter(id: string, mode: StickyMode): Promise<RequestListener> {
  const app = Fastify();
  await app.register(fastifyCookie);
  await app.register(fastifySession, {
    secret: 'one secret that is long enough for it, 32 octets',
    cookie: { secure: false },
    ...(mode === 'suffix' ? { idGenerator: () => `${Math.random().toString(36).slice(2)}.${id}` } : {}),
  });
  app.get('/', async (request) => {
    const kept = request.session as unknown as { visits?: number };
    kept.visits = (kept.visits ?? 0) + 1;
    return { node: id, count: kept.visits } satisfies Visit;
  });
  await app.ready();
  return (request, response) => app.routing(request, response);
}

for (const mode of ['suffix', 'rewrite'] as const)
  for (const [name, make] of [
    ['express-session', expressCounter],
    ['@fastify/session', fastifyCounter],
  ] as const)
    test(`${mode}: ${name}, whose ids are signed`, { timeout: TIMEOUT_MS }, async (t) => {
      const site = await withSite(t);
      await prove(
        site,
        served(site, { mode }, '/', (id) => make(id, mode)),
      );
    });

test('suffix adds nothing to the answer: its fields are those of the node, in order', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await withSite(t);
  const fields = [
    'X-B',
    '2',
    'Set-Cookie',
    'SID=abc.a; Path=/',
    'x-a',
    ' 1 ',
    'Set-Cookie',
    'other=1',
    'Date',
    'Sat, 21 Nov 2026 00:00:00 GMT',
    'Content-Length',
    '2',
  ];
  const hopByHop = [
    'Connection',
    'keep-alive, X-Hop',
    'Keep-Alive',
    'timeout=5',
    'X-Hop',
    'gone',
    'rollcall-load',
    '1;2;0.5;3',
  ];
  const server = net.createServer((socket) => {
    socket.on('data', () => {
      const lines: string[] = [];
      for (const list of [fields, hopByHop])
        for (let i = 0; i < list.length; i += 2) lines.push(`${list[i]}:${list[i] === 'x-a' ? '' : ' '}${list[i + 1]}`);
      socket.write(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\n\r\nok`);
    });
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  await site.put('a', {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    sticky: { mode: 'suffix' },
  });
  const { rawHeaders, body } = await new Visitor(site.proxyPort, { keepsAlive: true }).get('/');
  assert.equal(body, 'ok');
  assert.deepEqual(
    rawHeaders,
    fields.map((text) => text.trim()),
  );
});

test('rewrite reads thousands of cookies, quoted and broken ones, and changes none but its own', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await withSite(t);
  let seen = '';
  await site.addNode('a', { sticky: { mode: 'rewrite', cookies: ['SID'] } }, (request, response) => {
    seen = request.headers.cookie ?? '';
    response.end();
  });
  const ask = async (cookie: string): Promise<string> => {
    const { status } = await new Visitor(site.proxyPort).get('/', { headers: { cookie } });
    assert.equal(status, 200);
    return seen;
  };
  const many = Array.from({ length: 1_200 }, (_, i) => `x${i}=${i}`).join('; ');
  assert.equal(await ask(`${many}; SID=one.a; last=1`), `${many}; SID=one; last=1`);
  for (const [sent, expected] of [
    ['SID="one.a"', 'SID="one"'],
    ['SID=one.a; SID=two.a', 'SID=one; SID=two'],
    ['=; ;;SID=one.a;"; a="b; c', '=; ;;SID=one;"; a="b; c'],
    ['SID=one.b; sid=x.a; XSID=y.a', 'SID=one.b; sid=x.a; XSID=y.a'],
    ['SID=s%3Aone.a.sig%2F', 'SID=s%3Aone.a.sig%2F'],
    ['SID', 'SID'],
  ] as const)
    assert.equal(await ask(sent), expected);
});
