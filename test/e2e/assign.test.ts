/** Clients that request a node and then connect to it directly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counter, type Visit } from '../site/counter.ts';
import { Site } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

const TIMEOUT_MS = 120_000;
const ASSIGN = '/.well-known/rollcall/assign';

interface Assigned {
  readonly node: string;
  readonly publicUrl: string;
  readonly route: string;
}

/** A client that requests a node from the proxy once, keeps the route, and then connects only to its node. */
class DirectClient {
  readonly #proxyPort: number;
  #assigned: Assigned | undefined;
  #cookie = '';

  constructor(proxyPort: number) {
    this.#proxyPort = proxyPort;
  }

  async assigned(): Promise<Assigned> {
    const route = this.#assigned === undefined ? '' : `&route=${this.#assigned.route}`;
    const answer = await new Visitor(this.#proxyPort).get(`${ASSIGN}?balancer=game${route}`);
    assert.equal(answer.status, 200, answer.body);
    this.#assigned = JSON.parse(answer.body) as Assigned;
    return this.#assigned;
  }

  async visit(): Promise<Visit> {
    const { publicUrl } = this.#assigned ?? (await this.assigned());
    const response = await fetch(`${publicUrl}/`, { headers: this.#cookie === '' ? {} : { cookie: this.#cookie } });
    this.#cookie = response.headers.get('set-cookie')?.split(';', 1)[0] ?? this.#cookie;
    return (await response.json()) as Visit;
  }
}

test('a client is given a node as a new session would be, and the same one again', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t);
  for (const id of ['a', 'b', 'c'])
    await site.addNode(id, { balancer: 'game', contexts: ['/game'] }, counter({ node: id, cookie: 'SID' }));
  const visitor = new Visitor(site.proxyPort);
  assert.equal((await visitor.get(`${ASSIGN}?balancer=game`)).status, 404, 'assign is off by default');
  assert.equal((await site.cli('balancer', 'game', 'set', 'assign=on')).code, 0);
  await site.isCurrent();

  const clients = Array.from({ length: 30 }, () => new DirectClient(site.proxyPort));
  const homes = await Promise.all(clients.map(async (client) => (await client.assigned()).node));
  for (const id of ['a', 'b', 'c']) assert.equal(homes.filter((home) => home === id).length, 10, id);
  for (let count = 1; count <= 3; count++)
    for (const [i, client] of clients.entries()) {
      const visit = await client.visit();
      assert.deepEqual([visit.node, visit.count], [homes[i], count]);
    }
  await site.admin('POST', '/v1/nodes/a/drain', {});
  await site.isCurrent();
  for (const [i, client] of clients.entries())
    assert.equal((await client.assigned()).node, homes[i], 'a draining node keeps its own');
  for (let i = 0; i < 6; i++) assert.notEqual((await new DirectClient(site.proxyPort).assigned()).node, 'a');
});

test('a session of the proxy is assigned its own node; redirects, refusals and addresses', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const site = await Site.start(t, { flags: ['--assign'] });
  for (const id of ['a', 'b']) {
    const node = await site.addNode(
      id,
      { balancer: 'game', publicUrl: `https://${id}.game.example` },
      counter({ node: id }),
    );
    assert.ok(node.port > 0);
  }
  for (let i = 0; i < 8; i++) {
    const visitor = new Visitor(site.proxyPort);
    const { node }: Visit = JSON.parse((await visitor.get('/')).body);
    const assigned: Assigned = JSON.parse((await visitor.get(`${ASSIGN}?balancer=game`)).body);
    assert.deepEqual(assigned, { node, publicUrl: `https://${node}.game.example`, route: node });
    const redirect = await visitor.get(`${ASSIGN}?balancer=game&redirect=1`);
    assert.deepEqual([redirect.status, redirect.headers.location], [307, `https://${node}.game.example`]);
    assert.equal((await visitor.get(`${ASSIGN}?balancer=game`, { method: 'HEAD' })).body, '');
  }
  const visitor = new Visitor(site.proxyPort);
  assert.equal((await visitor.get(`${ASSIGN}?balancer=nobody`)).status, 404);
  assert.equal((await visitor.get(`${ASSIGN}?balancer=game&path=/x`)).status, 200);
  for (const id of ['a', 'b']) await site.admin('POST', `/v1/nodes/${id}/stop`, { force: true });
  await site.isCurrent();
  const nobody = await visitor.get(`${ASSIGN}?balancer=game`);
  assert.deepEqual([nobody.status, nobody.headers['retry-after']], [503, '2']);
});
