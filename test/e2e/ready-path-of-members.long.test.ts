/**
 * Members without an agent with a ready path (`rollcall add --ready`), under traffic: the page of a member fails and recovers. No request
 * fails, sessions stay, new sessions use the other member, and the cause is shown. Also after a crash of the control process.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { NodeResource } from '@rollcall/protocol';
import { counter, type Visit } from '../site/counter.ts';
import { isProbe, Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

interface Member {
  readonly url: string;
  /** Answer of `/health`. */
  health: number;
}

async function startMember(t: TestContext, name: string): Promise<Member> {
  const count = counter({ node: name, cookie: 'connect.sid' });
  const member = { url: '', health: 200 };
  const server = http.createServer((request, response) => {
    if (request.url === '/health') response.writeHead(member.health).end();
    else if (isProbe(request)) response.end();
    else count(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  member.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return member;
}

/** A session at one member: each request has to find its own count there. */
class Session {
  readonly #visitor: Visitor;
  home = '';
  #count = 0;

  constructor(site: Site) {
    this.#visitor = new Visitor(site.proxyPort);
  }

  async visit(): Promise<void> {
    const { status, body } = await this.#visitor.get('/');
    assert.equal(status, 200, body);
    const { node, count }: Visit = JSON.parse(body);
    this.home ||= node;
    this.#count += 1;
    assert.deepEqual([node, count], [this.home, this.#count]);
  }
}

test('a ready page fails and recovers under traffic: no failed request, sessions stay, new ones go elsewhere', {
  timeout: 180_000,
}, async (t) => {
  const site = await Site.start(t);
  const [one, two] = [await startMember(t, 'one'), await startMember(t, 'two')];
  const add = async (id: string, { url }: Member) => {
    const { code, stdout, stderr } = await site.cli('add', url, '--id', id, '--ready', '/health');
    assert.deepEqual([code, stderr], [0, '']);
    return stdout.trim();
  };
  one.health = 503;
  assert.equal(
    await add('one', one),
    'node one is registered as a static member, but it is not ready: it answers 503 at /health; it gets new sessions when that page answers below 500',
  );
  assert.equal(await add('two', two), 'node two is registered as a static member');
  const isShown = async (isMatch: (node: NodeResource) => boolean): Promise<void> => {
    await until(async () => isMatch((await site.node('one'))!), 'the page of one is not shown');
    await site.isCurrent();
  };
  /** Homes of new sessions. */
  const homes = async (sessions: number): Promise<ReadonlySet<string>> => {
    const found = new Set<string>();
    for (let i = 0; i < sessions; i += 1) {
      const session = new Session(site);
      await session.visit();
      found.add(session.home);
    }
    return found;
  };
  assert.deepEqual([...(await homes(10))], ['two'], 'not ready from the start');
  one.health = 200;
  await isShown(({ isReady }) => isReady);

  const sessions = Array.from({ length: 20 }, () => new Session(site));
  for (const session of sessions) await session.visit();
  const atOne = sessions.filter(({ home }) => home === 'one').length;
  assert.ok(atOne > 0 && atOne < 20, `${atOne} of 20 sessions at one`);
  let isOver = false;
  let rounds = 0;
  const traffic = (async () => {
    while (!isOver) {
      for (const session of sessions) await session.visit();
      rounds += 1;
    }
  })();
  traffic.catch(() => {});

  one.health = 503;
  await isShown(({ readyReason }) => readyReason === 'answers 503 at /health');
  assert.deepEqual([...(await homes(20))], ['two']);
  for (const [words, text] of [
    [['nodes'], /^one .* up, not ready .* answers 503 at \/health$/m],
    [
      ['status'],
      /^! risk \(not-ready, for \S+\): Not ready: one \(answers 503 at \/health\)\. New sessions go elsewhere/m,
    ],
    [['explain', 'one'], /^ {2}it answers 503 at \/health: it keeps its sessions, and new ones go elsewhere/m],
  ] as const)
    assert.match((await site.cli(...words)).stdout, text);

  await site.killControl();
  await isShown(({ readyReason }) => readyReason === 'answers 503 at /health');
  assert.deepEqual([...(await homes(10))], ['two'], 'after a crash of the control process');

  two.health = 500;
  await until(async () => !(await site.node('two'))!.isReady, 'two is not shown');
  await site.isCurrent();
  assert.equal((await homes(10)).size > 0, true, 'members that are not ready are better than none');
  one.health = 200;
  await isShown(({ isReady }) => isReady);
  assert.deepEqual([...(await homes(10))], ['one']);

  const before = rounds;
  await until(() => rounds > before, 'the traffic has stopped');
  isOver = true;
  await traffic;
});
