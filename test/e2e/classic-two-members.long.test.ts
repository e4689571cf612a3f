/**
 * A set-up of 2010: two images on ports 8881 and 8882 with routes `first` and `second`. Sessions are in memory, ids in cookie or
 * URL, with `stickysession=_s|_s nofailover=On`. The front serves /files and excludes /balancer-manager. The members do not use
 * the SDK.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { counter, type Visit } from '../site/counter.ts';
import { isProbe, Site } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

interface Member {
  readonly url: string;
  readonly hosts: Set<string>;
  stop(): Promise<void>;
}

/** An image: on its port when that is free, otherwise on another. */
async function startMember(t: TestContext, route: string, wantedPort: number): Promise<Member> {
  const hosts = new Set<string>();
  const count = counter({ node: route, cookie: '_s', parameter: '_s', route });
  let server: http.Server;
  let port = wantedPort;
  const listen = (at: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server = http.createServer((request, response) => {
        if (!isProbe(request)) hosts.add(request.headers.host ?? '');
        if (request.url === '/old') response.writeHead(302, { location: `http://127.0.0.1:${port}/new` }).end();
        else count(request, response);
      });
      server.once('error', reject);
      server.listen(at, '127.0.0.1', resolve);
    });
  await listen(wantedPort).catch(() => listen(0));
  ({ port } = server!.address() as AddressInfo);
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.after(stop);
  return { url: `http://127.0.0.1:${port}`, hosts, stop };
}

test('two members, with and without cookies, as under mod_proxy_balancer', { timeout: 120_000 }, async (t) => {
  const [first, second] = [await startMember(t, 'first', 8881), await startMember(t, 'second', 8882)];
  const files = mkdtempSync(join(tmpdir(), 'rollcall-classic-'));
  t.after(() => rmSync(files, { recursive: true }));
  writeFileSync(join(files, 'logo.txt'), 'a logo');
  const site = await Site.start(t, {
    flags: ['--exclude', '/balancer-manager', '/server-status', '--static', `/files=${files}`],
  });
  for (const [route, { url }] of [
    ['first', first],
    ['second', second],
  ] as const) {
    const added = await site.cli(
      'add',
      url,
      '--balancer',
      'mycluster',
      '--id',
      route,
      '--route',
      route,
      '--stickysession',
      '_s|_s',
      '--nofailover',
    );
    assert.deepEqual([added.code, added.stderr], [0, ''], added.stderr);
  }
  await site.isCurrent();

  const visitors = Array.from({ length: 20 }, (_, i) => ({
    takesCookies: i % 2 === 0,
    visitor: new Visitor(site.proxyPort, { host: 'www.example', takesCookies: i % 2 === 0 }),
    home: '',
    path: '/seaside/app',
    count: 0,
  }));
  const round = async (): Promise<void> => {
    for (const person of visitors) {
      const answer = await person.visitor.get(person.path);
      assert.equal(answer.status, 200);
      const visit: Visit = JSON.parse(answer.body);
      person.home ||= visit.node;
      assert.deepEqual([visit.node, visit.count], [person.home, ++person.count]);
      if (!person.takesCookies) person.path = `/seaside/app${visit.link}`;
    }
  };
  await round();
  await round();
  // A member that has just answered slowly counts as fuller, and on a busy machine either may be slow for some answers.
  const atFirst = visitors.filter(({ home }) => home === 'first').length;
  assert.ok(atFirst >= 3 && atFirst <= 17, `${atFirst} of 20 sessions at the first member`);
  assert.deepEqual([...first.hosts, ...second.hosts], ['www.example', 'www.example'], 'ProxyPreserveHost On');

  const front = new Visitor(site.proxyPort, { host: 'www.example' });
  assert.equal((await front.get('/old')).headers.location, 'http://www.example/new', 'ProxyPassReverse');
  for (const path of ['/balancer-manager', '/server-status?auto']) assert.equal((await front.get(path)).status, 404);
  assert.equal((await front.get('/files/logo.txt')).body, 'a logo');

  await site.restart();
  await site.isCurrent();
  await round();

  await second.stop();
  for (const { visitor, home, path } of visitors)
    assert.equal((await visitor.get(path)).status, home === 'first' ? 200 : 503, 'nofailover');
  for (const person of visitors) if (person.home === 'first') person.count++;
  const newVisit: Visit = JSON.parse((await new Visitor(site.proxyPort).get('/')).body);
  assert.equal(newVisit.node, 'first', 'new sessions continue');
});
