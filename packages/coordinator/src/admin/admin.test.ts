import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { memoryStore, type Store } from '@rollcall/core';
import type {
  BalancerName,
  BalancerResource,
  BalancersResource,
  EventResource,
  ForgetResult,
  LoginResource,
  NodeExplanation,
  NodeResource,
  NodesResource,
  Problem,
  StatusResource,
  WriteResult,
} from '@rollcall/protocol';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';
import { startTestNode, type TestNode } from '../testing/test-node.ts';
import { limitOf } from './paging.ts';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function coordinator(options: Parameters<typeof startTestCoordinator>[0] = {}): Promise<TestCoordinator> {
  const started = await startTestCoordinator(options);
  closers.push(() => started.close());
  return started;
}

async function node(): Promise<TestNode> {
  const started = await startTestNode();
  closers.push(() => started.close());
  return started;
}

/** A coordinator with static members of balancer shop, group eu. */
async function cluster(...ids: string[]): Promise<TestCoordinator> {
  const started = await coordinator();
  const { url } = await node();
  for (const id of ids) {
    const answer = await started.api(`/v1/nodes/${id}`, {
      method: 'PUT',
      body: { balancer: 'shop', url, group: 'eu' },
    });
    assert.equal(answer.status, 200, answer.text);
  }
  return started;
}

function problem({ status, json }: { status: number; json<Body>(): Body }): [number, string] {
  return [status, json<Problem>().code];
}

/** Repeats the request until the condition holds; the time limit of the test ends a wait in vain. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('verbs', () => {
  test('drain, enable and stop a node, once', async () => {
    const { api } = await cluster('n1');
    const drained = (
      await api('/v1/nodes/n1/drain', { method: 'POST', body: { reason: 'deploy', force: true } })
    ).json<WriteResult>();
    assert.equal(drained.isChanged, true);
    assert.equal(drained.nodes[0]?.wanted.status, 'draining');
    assert.equal(drained.nodes[0]?.wanted.reason, 'deploy');
    assert.equal(drained.nodes[0]?.wanted.by, 'admin');
    assert.match(drained.message, /node n1 is now draining: 0 sessions, 0 in flight/);
    const again = (
      await api('/v1/nodes/n1/drain', { method: 'POST', body: { reason: 'deploy', force: true } })
    ).json<WriteResult>();
    assert.equal(again.isChanged, false);
    const stopped = (await api('/v1/nodes/n1/stop', { method: 'POST', body: {} })).json<WriteResult>();
    assert.equal(stopped.nodes[0]?.status, 'stopped');
    const enabled = (await api('/v1/nodes/n1/enable', { method: 'POST', body: '' })).json<WriteResult>();
    assert.equal(enabled.nodes[0]?.status, 'enabled');
  });

  test('a dry run reports the change and changes nothing', async () => {
    const { api } = await cluster('n1');
    const dry = (await api('/v1/nodes/n1/drain', { method: 'POST', body: { dryRun: true } })).json<WriteResult>();
    assert.deepEqual([dry.isDryRun, dry.isChanged], [true, true]);
    assert.match(dry.message, /would be draining.*; no other node takes its work$/);
    assert.deepEqual(dry.preview, {
      sessions: 0,
      sessionsSeenOnce: 0,
      carriedBy: [],
      budget: { minEligible: 1, eligible: 0 },
      sentence: 'no other node takes its work',
    });
    const done = (await api('/v1/nodes/n1/enable', { method: 'POST', body: { dryRun: true } })).json<WriteResult>();
    assert.equal(done.preview, undefined);
    assert.equal((await api('/v1/nodes/n1')).json<NodeResource>().status, 'enabled');
  });

  test('deadlineMs and forMs are reported as instants', async () => {
    const { api } = await cluster('n1');
    const body = { deadlineMs: 60_000, forMs: 120_000, force: true };
    const [resource] = (await api('/v1/nodes/n1/drain', { method: 'POST', body })).json<WriteResult>().nodes;
    const { deadlineAtUnixMs = 0, untilUnixMs = 0 } = resource!.wanted;
    assert.ok(Math.abs(untilUnixMs - deadlineAtUnixMs - 60_000) <= 1);
  });

  test('reach all nodes of a balancer or a group', async () => {
    const { api } = await cluster('n1', 'n2');
    const drained = (
      await api('/v1/balancers/shop/drain', { method: 'POST', body: { force: true } })
    ).json<WriteResult>();
    assert.deepEqual(
      drained.nodes.map(({ status }) => status),
      ['draining', 'draining'],
    );
    assert.match(drained.message, /2 nodes of balancer shop are now draining/);
    const enabled = (await api('/v1/groups/eu/enable', { method: 'POST', body: {} })).json<WriteResult>();
    assert.deepEqual(
      enabled.nodes.map(({ status }) => status),
      ['enabled', 'enabled'],
    );
    assert.deepEqual(problem(await api('/v1/groups/us/drain', { method: 'POST', body: {} })), [404, 'not-found']);
  });

  test('count the nodes of a balancer that are present, and name absent ones that will be enabled', async () => {
    const { api } = await cluster('n1', 'n2');
    const { url } = await node();
    await api('/v1/nodes/l1', { method: 'PUT', body: { balancer: 'shop', url, ttlMs: 1_000 } });
    const verb = async (name: string, body: object = { force: true }) =>
      (await api(`/v1/balancers/shop/${name}`, { method: 'POST', body })).json<WriteResult>();
    assert.match((await verb('drain')).message, /^3 nodes of balancer shop are now draining: /);
    await until(async () => (await api('/v1/nodes/l1')).json<NodeResource>().liveness === 'gone');
    const later = '; 1 absent node will be enabled when it returns';
    assert.match((await verb('drain')).message, /^2 nodes of balancer shop are already draining: /);
    assert.match((await verb('stop')).message, /^2 nodes of balancer shop are now stopped: /);
    const foreseen = await verb('enable', { dryRun: true });
    assert.equal(foreseen.message, `2 nodes of balancer shop would be enabled${later.replace('will', 'would')}`);
    const enabled = await verb('enable');
    assert.equal(enabled.message, `2 nodes of balancer shop are now enabled${later}`);
    assert.deepEqual(
      enabled.nodes.map(({ id }) => id),
      ['n1', 'n2'],
    );
    assert.equal((await verb('enable')).message, '2 nodes of balancer shop are already enabled');
    assert.equal((await api('/v1/nodes/l1')).json<NodeResource>().wanted.status, 'enabled');
    for (const id of ['n1', 'n2']) await api(`/v1/nodes/${id}`, { method: 'DELETE', body: { force: true } });
    await api('/v1/nodes/l1/drain', { method: 'POST', body: {} });
    const absent = await verb('enable');
    assert.deepEqual([absent.message, absent.isChanged], [`no node of balancer shop is present${later}`, true]);
  });

  test('on an unknown node are 404 and suggest similar names', async () => {
    const { api } = await cluster('shop-1', 'shop-2');
    const answer = await api('/v1/nodes/shpo-1/drain', { method: 'POST', body: {} });
    assert.deepEqual(problem(answer), [404, 'not-found']);
    assert.match(answer.json<Problem>().detail, /did you mean shop-1/);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8');
  });

  test('are in the audit with identity, reason and address', async () => {
    const { api, stateDir, coordinator: started } = await cluster('n1');
    await api('/v1/nodes/n1/drain', { method: 'POST', body: { reason: 'deploy', force: true } });
    await api('/v1/nodes/n1/drain', { method: 'POST', body: { deadlineMs: 60_000, force: true } });
    await api('/v1/nodes/n1', { method: 'DELETE', body: { reason: 'old', force: true } });
    await started.close();
    const { readFile } = await import('node:fs/promises');
    const lines = (await readFile(`${stateDir}/audit.jsonl`, 'utf8')).trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const entry = entries.find(({ what }) => what === 'status');
    assert.deepEqual(
      [entry?.['node'], entry?.['by'], entry?.['reason'], entry?.['from']],
      ['n1', 'admin', 'deploy', '127.0.0.1'],
    );
    const reasons = entries.flatMap(({ what, by, reason }) => (by || reason ? [[what, by, reason]] : []));
    assert.deepEqual(reasons.slice(-3), [
      ['status', 'admin', 'deploy'],
      ['status', 'admin', undefined],
      ['gone', 'admin', 'old'],
    ]);
  });
});

describe('nodes', () => {
  test('a static member is probed and reported as up', async () => {
    const { api } = await coordinator();
    const { url } = await node();
    const body = { balancer: 'shop', url, route: 'r1', contexts: ['/shop'], hosts: ['Shop.Test'], weight: 2 };
    const written = (await api('/v1/nodes/n1', { method: 'PUT', body })).json<WriteResult>();
    assert.match(written.message, /registered as a static member$/);
    const [resource] = written.nodes;
    assert.deepEqual(
      [resource?.liveness, resource?.isStatic, resource?.route, resource?.hosts, resource?.contexts[0]?.path],
      ['up', true, 'r1', ['shop.test'], '/shop'],
    );
    const again = (await api('/v1/nodes/n1', { method: 'PUT', body })).json<WriteResult>();
    assert.deepEqual([again.isChanged, again.nodes[0]?.liveness], [false, 'up']);
  });

  test('a dry run of PUT has the refusals of a registration and registers nothing', async () => {
    const { api } = await coordinator();
    const { url } = await node();
    const put = (id: string, body: object) => api(`/v1/nodes/${id}`, { method: 'PUT', body });
    const body = { balancer: 'shop', url, dryRun: true };
    const foreseen = (await put('n1', body)).json<WriteResult>();
    assert.deepEqual([foreseen.isDryRun, foreseen.nodes], [true, []]);
    assert.equal(foreseen.message, `would register node n1 at ${url} as a static member`);
    assert.equal((await api('/v1/nodes/n1')).status, 404);
    await put('n1', { balancer: 'shop', url });
    const taken = await put('n2', { ...body, balancer: 'blog' });
    assert.deepEqual(problem(taken), [409, 'context-taken']);
    const again = (await put('n1', { ...body, weight: 3 })).text;
    assert.match(again, /would replace the registration of node n1 at \S+ as a static member/);
    assert.equal((await api('/v1/nodes/n1')).json<NodeResource>().weight, 1);
  });

  test('the answer of GET can be used as the body of PUT', async () => {
    const { api } = await coordinator();
    const { url } = await node();
    const body = { balancer: 'shop', url, route: 'r1', contexts: ['/shop', '/cart'], hosts: ['shop.test'], weight: 2 };
    await api('/v1/nodes/n1', { method: 'PUT', body: { ...body, group: 'g1' } });
    const read = (await api('/v1/nodes/n1')).json<NodeResource>();
    // Instants are left out, because each answer rounds them anew.
    const registered = ({ balancer, url, route, contexts, hosts, weight, group }: NodeResource) => {
      return { balancer, url, route, contexts, hosts, weight, group };
    };
    assert.deepEqual(read.contexts[0], { path: '/shop', status: 'enabled' });
    const again = registered(read);
    const written = (await api('/v1/nodes/n1', { method: 'PUT', body: again })).json<WriteResult>();
    assert.deepEqual([written.isChanged, registered(written.nodes[0]!)], [false, again]);
    const mixed = { ...again, contexts: ['/shop', { path: '/cart' }] };
    assert.equal((await api('/v1/nodes/n1', { method: 'PUT', body: mixed })).json<WriteResult>().isChanged, false);
    for (const wrong of [{}, { path: 'shop' }, 7])
      assert.equal((await api('/v1/nodes/n1', { method: 'PUT', body: { ...again, contexts: [wrong] } })).status, 400);
    const hosted = [
      { path: '/shop', status: 'enabled' },
      { path: '/cart', status: 'enabled', hosts: ['a.test'] },
    ];
    const onHosts = await api('/v1/nodes/n1', { method: 'PUT', body: { ...again, contexts: hosted } });
    assert.deepEqual(onHosts.json<WriteResult>().nodes[0]?.contexts, hosted);
  });

  test('an unreachable node is reported in the answer', async () => {
    const { api } = await coordinator();
    const dead = await startTestNode();
    await dead.close();
    const written = (await api('/v1/nodes/n1', { method: 'PUT', body: { url: dead.url } })).json<WriteResult>();
    assert.match(written.message, /but it is joining: .*connection refused.*wrong: rollcall remove n1$/);
    assert.equal(written.nodes[0]?.balancer, 'default');
    const { advice } = (await api('/v1/status')).json<StatusResource>();
    const question = 'connection refused). Does the program listen on another port?';
    assert.ok(
      advice.some((sentence) => sentence.startsWith('Not reachable from here: n1 ') && sentence.endsWith(question)),
      advice.join('; '),
    );
  });

  test('an id that is registered at another address is refused, except with replace', async () => {
    const { api } = await cluster('n1');
    const { url } = await node();
    const [before] = (await api('/v1/nodes')).json<{ nodes: NodeResource[] }>().nodes;
    const body = { balancer: 'shop', url };
    const refused = await api('/v1/nodes/n1', { method: 'PUT', body });
    assert.deepEqual(problem(refused), [409, 'conflict']);
    const { detail } = refused.json<Problem>();
    assert.match(
      detail,
      /^the id belongs to node n1 at http:\/\/127\.0\.0\.1:\d+ \(registered \d+ s ago, without an agent, up\)/,
    );
    assert.ok(detail.includes(before!.url), detail);
    const replaced = await api('/v1/nodes/n1', { method: 'PUT', body: { ...body, replace: true } });
    assert.deepEqual([replaced.status, replaced.json<WriteResult>().nodes[0]?.url], [200, url]);
  });

  test('a node that has never answered holds no context; if it answers and its context is taken, the status names it', async () => {
    const { api } = await coordinator();
    const late = await startTestNode();
    await late.close();
    await api('/v1/nodes/typo', { method: 'PUT', body: { balancer: 'typo', url: late.url } });
    const { url } = await node();
    assert.equal((await api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url } })).status, 200);
    const listening = await startTestNode(late.port);
    closers.push(() => listening.close());
    const refused = await api('/v1/nodes/typo', { method: 'PUT', body: { balancer: 'typo', url: late.url } });
    assert.deepEqual(problem(refused), [409, 'context-taken']);
    await until(async () => {
      const { advice } = (await api('/v1/status')).json<StatusResource>();
      return advice.some((line) =>
        /^Registered, answering, and without a context: typo: `\/` on `\*` is served/.test(line),
      );
    });
    await api('/v1/nodes/n1', { method: 'DELETE', body: { force: true } });
    await until(async () => (await api('/v1/nodes/typo')).json<NodeResource>().liveness === 'up');
  });

  test('two members with a term cannot have one address; static members can', async () => {
    const { api } = await coordinator();
    const { url } = await node();
    const body = { balancer: 'shop', url, ttlMs: 60_000 };
    assert.equal((await api('/v1/nodes/l1', { method: 'PUT', body })).status, 200);
    assert.deepEqual(problem(await api('/v1/nodes/l2', { method: 'PUT', body })), [409, 'address-taken']);
    assert.equal((await api('/v1/nodes/s1', { method: 'PUT', body: { balancer: 'shop', url } })).status, 200);
  });

  test('a lease needs no token from this machine, and repeating it renews', async () => {
    const { api } = await coordinator();
    const { url } = await node();
    const body = { balancer: 'shop', url, ttlMs: 60_000, load: 0.5 };
    const first = (await api('/v1/nodes/n1', { method: 'PUT', body, token: '' })).json<WriteResult>();
    assert.deepEqual([first.nodes[0]?.liveness, first.nodes[0]?.load, first.nodes[0]?.isStatic], ['up', 0.5, false]);
    const second = await api('/v1/nodes/n1', { method: 'PUT', body: { ...body, load: 0.9 }, token: '' });
    assert.equal(second.json<WriteResult>().nodes[0]?.load, 0.9);
  });

  test('a static member needs an operator: join token and loopback are refused', async () => {
    const { url } = await node();
    const body = { balancer: 'shop', url };
    const open = await coordinator();
    assert.deepEqual(problem(await open.api('/v1/nodes/n1', { method: 'PUT', body, token: '' })), [
      401,
      'unauthenticated',
    ]);
    const { api } = await coordinator({ joinToken: 'join-secret-of-the-test' });
    const token = 'join-secret-of-the-test';
    const refused = await api('/v1/nodes/n1', { method: 'PUT', body, token });
    assert.deepEqual(problem(refused), [403, 'forbidden']);
    assert.match(refused.text, /static member, without ttlMs, needs a token of role operator/);
    const leased = await api('/v1/nodes/n1', { method: 'PUT', body: { ...body, ttlMs: 60_000 }, token });
    assert.equal(leased.status, 200, leased.text);
    assert.equal((await api('/v1/nodes/n2', { method: 'PUT', body })).status, 200);
  });

  test('quotas are in force, name their setting, and are in the status with their use', async () => {
    const { api } = await coordinator({ quotas: { 'tokenless-nodes': 1, 'balancer-contexts': 2 } });
    const { url } = await node();
    const body = { balancer: 'shop', url, ttlMs: 60_000, contexts: ['/', '/a', '/b'] };
    const wide = await api('/v1/nodes/n1', { method: 'PUT', body, token: '' });
    assert.deepEqual(problem(wide), [403, 'too-many-nodes']);
    assert.match(wide.text, /balancer shop has 0 of 2 contexts and would have 3 \(`up --quota balancer-contexts=N`\)/);
    const narrow = { ...body, contexts: ['/', '/a'] };
    assert.equal((await api('/v1/nodes/n1', { method: 'PUT', body: narrow, token: '' })).status, 200);
    const second = await api('/v1/nodes/n2', {
      method: 'PUT',
      body: { ...narrow, url: (await node()).url },
      token: '',
    });
    assert.deepEqual(problem(second), [403, 'too-many-nodes']);
    assert.match(second.text, /peers without a token have 1 of 1 nodes \(`up --quota tokenless-nodes=N`\)/);
    const { quotas } = (await api('/v1/status')).json<StatusResource>();
    const of = (name: string) => quotas.find((quota) => quota.name === name);
    assert.deepEqual(of('tokenless-nodes'), { name: 'tokenless-nodes', limit: 1, used: 1 });
    assert.deepEqual(of('balancer-contexts'), { name: 'balancer-contexts', limit: 2, used: 2, by: 'shop' });
    assert.deepEqual(of('nodes'), { name: 'nodes', limit: 1_000, used: 0 });
  });

  test('operators may register any address except a metadata service; join tokens only their own', async () => {
    const { api } = await coordinator({ joinToken: 'join-secret-of-the-test' });
    const metadata = await api('/v1/nodes/n1', { method: 'PUT', body: { url: 'http://169.254.169.254:80' } });
    assert.deepEqual(problem(metadata), [400, 'bad-address']);
    const body = { url: 'http://192.0.2.1:80', ttlMs: 60_000 };
    const joiner = await api('/v1/nodes/n1', { method: 'PUT', body, token: 'join-secret-of-the-test' });
    assert.deepEqual(problem(joiner), [400, 'bad-address']);
    const listed = await api('/v1/nodes', { token: 'join-secret-of-the-test' });
    assert.deepEqual(problem(listed), [403, 'forbidden']);
  });

  test('can be patched, and a patch can be reverted', async () => {
    const { api } = await cluster('n1', 'n2');
    const body = { weight: 3, standby: true, redirectTo: 'n2' };
    const patched = (await api('/v1/nodes/n1', { method: 'PATCH', body })).json<WriteResult>();
    const [resource] = patched.nodes;
    assert.deepEqual([resource?.weight, resource?.loadFactor, resource?.redirectTo], [3, 0, 'n2']);
    const back = { weight: null, standby: null, redirectTo: null };
    const [again] = (await api('/v1/nodes/n1', { method: 'PATCH', body: back })).json<WriteResult>().nodes;
    assert.deepEqual([again?.weight, again?.isStandby, again?.redirectTo], [1, false, undefined]);
    const unknown = await api('/v1/nodes/n1', { method: 'PATCH', body: { redirectTo: 'n3' } });
    assert.deepEqual(problem(unknown), [404, 'not-found']);
    const self = await api('/v1/nodes/n1', { method: 'PATCH', body: { redirectTo: 'n1' } });
    assert.deepEqual(problem(self), [409, 'conflict']);
  });

  test('that are gone are listed only with all', async () => {
    const { api } = await cluster('n1', 'n2');
    const removed = await api('/v1/nodes/n1', { method: 'DELETE', body: { reason: 'old' } });
    assert.equal(removed.json<WriteResult>().isChanged, true);
    const ids = async (query: string) =>
      (await api(`/v1/nodes${query}`)).json<{ nodes: NodeResource[] }>().nodes.map(({ id }) => id);
    assert.deepEqual(await ids(''), ['n2']);
    assert.deepEqual(await ids('?all'), ['n1', 'n2']);
    assert.deepEqual(await ids('?balancer=other'), []);
    assert.deepEqual(await ids('?group=eu'), ['n2']);
  });
});

describe('lists', () => {
  test('come in pages by id, each of which begins after the last id of the previous page', async () => {
    const { api } = await cluster('n3', 'n1', 'n2');
    const page = async (query: string) => {
      const { nodes, next } = (await api(`/v1/nodes?${query}`)).json<NodesResource>();
      return [nodes.map(({ id }) => id).join(), next];
    };
    assert.deepEqual(await page(''), ['n1,n2,n3', undefined]);
    assert.deepEqual(await page('limit=3'), ['n1,n2,n3', undefined]);
    assert.deepEqual(await page('limit=2'), ['n1,n2', 'n2']);
    assert.deepEqual(await page('limit=2&after=n2'), ['n3', undefined]);
    await api('/v1/nodes/n2', { method: 'DELETE' });
    assert.deepEqual(await page('limit=1&after=n2'), ['n3', undefined]);
    assert.deepEqual(await page('limit=1&balancer=shop'), ['n1', 'n1']);
    assert.deepEqual(await page('after=zzz'), ['', undefined]);
  });

  test('of balancers come in pages too', async () => {
    const { api } = await cluster('n1');
    const { url } = await node();
    for (const name of ['b2', 'b1']) {
      const body = { balancer: name, url, contexts: [`/${name}`] };
      assert.equal((await api(`/v1/nodes/${name}`, { method: 'PUT', body })).status, 200);
    }
    const page = async (query: string) => {
      const { balancers, next } = (await api(`/v1/balancers?${query}`)).json<BalancersResource>();
      return [balancers.map(({ name }) => name).join(), next];
    };
    assert.deepEqual(await page(''), ['b1,b2,shop', undefined]);
    assert.deepEqual(await page('limit=2'), ['b1,b2', 'b2']);
    assert.deepEqual(await page('limit=2&after=b2'), ['shop', undefined]);
  });

  test('have at most 1,000 entries per answer, and a higher limit is refused with the bound', async () => {
    const { api } = await coordinator();
    assert.equal(limitOf({}), 1_000);
    assert.equal((await api('/v1/nodes?limit=1000')).status, 200);
    for (const path of ['nodes', 'balancers'])
      for (const limit of ['0', '1001', 'x', '1e2', '-1', '']) {
        const refused = await api(`/v1/${path}?limit=${limit}`);
        assert.deepEqual(problem(refused), [400, 'bad-field'], limit);
        assert.match(refused.json<Problem>().detail, /from 1 to 1000/);
      }
  });
});

describe('balancers', () => {
  test('report their settings with the origin of each, and accept new ones', async () => {
    const { api } = await cluster('n1');
    const body = { retries: 0, sticky: { mode: 'suffix', cookies: ['sid'] } };
    const answer = (await api('/v1/balancers/shop', { method: 'PATCH', body })).json<{ balancer: BalancerResource }>();
    assert.deepEqual([answer.balancer.retries, answer.balancer.origins['retries']], [0, 'operator']);
    const { balancers } = (await api('/v1/balancers')).json<{ balancers: BalancerResource[] }>();
    assert.deepEqual(
      balancers.map(({ name, sticky, nodesUp }) => [name, sticky.mode, sticky.cookies, nodesUp]),
      [['shop', 'suffix', ['sid'], 1]],
    );
    const one = (await api('/v1/balancers/shop')).json<BalancerResource>();
    assert.equal(one.origins['sessionAlgorithm'], 'default');
  });

  test('refuse an unknown algorithm and an invalid cookie name', async () => {
    const { api } = await cluster('n1');
    const patch = (body: unknown) => api('/v1/balancers/shop', { method: 'PATCH', body });
    const unknown = await patch({ algorithm: 'best' });
    assert.deepEqual(problem(unknown), [400, 'bad-field']);
    assert.match(unknown.json<Problem>().detail, /adaptive/);
    assert.deepEqual(problem(await patch({ sticky: { cookies: ['a b'] } })), [400, 'bad-field']);
    assert.deepEqual(problem(await api('/v1/balancers/shpo', { method: 'PATCH', body: {} })), [404, 'not-found']);
  });

  test('shape the route cookie, and refuse what browsers would not follow', async () => {
    const { api, coordinator: made } = await cluster('n1');
    const patch = (routeCookie: unknown) =>
      api('/v1/balancers/shop', { method: 'PATCH', body: { sticky: { routeCookie } } });
    const shape = { sameSite: 'None', secure: 'always', lifetime: { ends: 'idle', afterMs: 60_000 } };
    const { balancer } = (await patch(shape)).json<{ balancer: BalancerResource }>();
    assert.deepEqual(balancer.sticky.routeCookie, {
      name: `rc_route_${made.registry.clusterId?.slice(0, 6)}`,
      ...shape,
      partitioned: false,
      domain: '',
      path: '',
      earlierNames: ['rc_route'],
    });
    assert.equal(balancer.origins['sticky.routeCookie.sameSite'], 'operator');
    for (const [bad, words] of [
      [{ secure: null }, /SameSite=None without Secure/],
      [{ name: '__Host-id' }, /route-cookie-path/],
      [{ name: 'JSESSIONID' }, /route-cookie-name/],
      [{ name: 'a b' }, /sticky.routeCookie.name is not a cookie name/],
      [{ domain: '*.example.com' }, /sticky.routeCookie.domain is not a host name/],
      [{ domain: '127.0.0.1' }, /sticky.routeCookie.domain is not a host name/],
      [{ domain: 'example.com.' }, /sticky.routeCookie.domain is not a host name/],
      [{ domain: 'com' }, /Domain=com, .*route-cookie-domain/],
      [{ domain: '.Localhost' }, /Domain=localhost, .*route-cookie-domain/],
      [{ path: '/a;b' }, /sticky.routeCookie.path is not a path/],
      [{ sameSite: 'lax' }, /sameSite/],
      [{ lifetime: { ends: 'idle' } }, /lifetime/],
      [{ lifetime: { ends: 'whole', afterMs: 1 } }, /lifetime/],
    ] as const) {
      const answer = await patch(bad);
      assert.deepEqual(problem(answer), [400, 'bad-field'], JSON.stringify(bad));
      assert.match(answer.json<Problem>().detail, words);
      const dry = await api('/v1/balancers/shop', {
        method: 'PATCH',
        body: { sticky: { routeCookie: bad }, dryRun: true },
      });
      assert.equal(dry.status, 400, JSON.stringify(bad));
    }
    const dotted = (await patch({ domain: '.Example.com' })).json<{ balancer: BalancerResource }>();
    assert.equal(dotted.balancer.sticky.routeCookie.domain, 'example.com');
    const unset = { sameSite: null, secure: null, lifetime: null, domain: null };
    const { balancer: after } = (await patch(unset)).json<{ balancer: BalancerResource }>();
    assert.deepEqual(
      [after.sticky.routeCookie.sameSite, after.sticky.routeCookie.lifetime],
      ['Lax', { ends: 'session' }],
    );
  });

  test('have time limits for themselves and for paths, with the origin of each', async () => {
    const { api } = await coordinator({
      balancers: [{ name: 'shop' as BalancerName, source: 'flag', patch: { limits: { upstreamIdleMs: 5_000 } } }],
    });
    const { url } = await node();
    await api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url } });
    const patch = (limits: unknown, dryRun = false) =>
      api('/v1/balancers/shop', { method: 'PATCH', body: { limits, dryRun } });
    const set = { upstreamTimeoutMs: 120_000, paths: { '/export': { upstreamIdleMs: 'none' } } };
    const { balancer } = (await patch(set)).json<{ balancer: BalancerResource }>();
    assert.deepEqual(balancer.limits, { ...set, upstreamIdleMs: 5_000 });
    assert.equal(balancer.origins['limits.upstreamIdleMs'], 'flag');
    assert.equal(balancer.origins['limits./export.upstreamIdleMs'], 'operator');
    for (const [bad, words] of [
      [{ upstreamTimeoutMs: 0 }, /upstream-timeout is 0 ms: it must be from 1ms to 24h/],
      [{ upstreamTimeoutMs: '2m' }, /upstream-timeout is "2m"/],
      [{ bodyTimeoutMs: 'none' }, /body-timeout cannot be none/],
      [{ paths: { export: {} } }, /"export" is not a path like/],
      [{ paths: { '/a': { bodyTimeoutMs: 'none' } } }, /\/a: body-timeout cannot be none/],
      [{ paths: Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`/${i}`, { tunnelIdleMs: 1 }])) }, /33/],
    ] as const)
      for (const dryRun of [false, true]) {
        const answer = await patch(bad, dryRun);
        assert.deepEqual(problem(answer), [400, 'bad-field'], JSON.stringify(bad));
        assert.match(answer.json<Problem>().detail, words);
      }
    const unset = { upstreamTimeoutMs: null, paths: { '/export': null } };
    const { balancer: after } = (await patch(unset)).json<{ balancer: BalancerResource }>();
    assert.deepEqual(after.limits, { upstreamIdleMs: 5_000 });
  });

  test('take settings from flags before any node registers', async () => {
    const { api } = await coordinator({ balancers: [{ name: '*', source: 'flag', patch: { retries: 0 } }] });
    const { url } = await node();
    await api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url } });
    const { retries, origins } = (await api('/v1/balancers/shop')).json<BalancerResource>();
    assert.deepEqual([retries, origins['retries']], [0, 'flag']);
  });
});

describe('bad requests', () => {
  test('get a problem with a stable code', async () => {
    const { api } = await cluster('n1');
    const cases: readonly (readonly [string, Parameters<typeof api>[1], number, string])[] = [
      ['/v1/nodes/n1/drain', { method: 'POST', body: '{' }, 400, 'bad-message'],
      ['/v1/nodes/n1/drain', { method: 'POST', body: { reson: 'x' } }, 400, 'bad-field'],
      ['/v1/nodes/n1/drain', { method: 'POST', body: { deadlineMs: '5' } }, 400, 'bad-field'],
      ['/v1/nodes/n1/drain', { method: 'POST', body: '{"__proto__":{"dryRun":true}}' }, 400, 'bad-message'],
      ['/v1/nodes/n1/drain', { method: 'POST', headers: { 'content-type': 'text/plain' } }, 415, 'not-json'],
      ['/v1/nodes/n1/drain', { method: 'POST', body: `"${'x'.repeat(70_000)}"` }, 413, 'too-large'],
      ['/v1/nodes/n1', { method: 'PATCH', body: { weight: 0 } }, 400, 'bad-field'],
      ['/v1/nodes/a.b', { method: 'PUT', body: { url: 'http://127.0.0.1:1' } }, 400, 'bad-name'],
      ['/v1/nodes/n2', { method: 'PUT', body: { url: 'http://127.0.0.1:65536' } }, 400, 'bad-address'],
      ['/v1/nodes/n2', { method: 'PUT', body: { url: 'http://127.0.0.1:1', contexts: ['/a/../b'] } }, 400, 'bad-field'],
      ['/v1/nodes/n2', { method: 'PUT', body: { url: 'http://127.0.0.1:1', ttlMs: 5 } }, 400, 'bad-field'],
      ['/v1/nothing', {}, 404, 'not-found'],
      ['//v1/nodes', {}, 404, 'not-found'],
      ['/v1/nodes/', {}, 404, 'not-found'],
      ['/v1/events?since=-1', {}, 400, 'bad-field'],
    ];
    for (const [path, options, status, code] of cases)
      assert.deepEqual(problem(await api(path, options)), [status, code], `${path} ${JSON.stringify(options)}`);
  });
});

describe('access', () => {
  test('from loopback without a token is read-only', async () => {
    const { api } = await cluster('n1');
    assert.equal((await api('/v1/nodes', { token: '' })).status, 200);
    assert.equal((await api('/v1/status', { token: '' })).status, 200);
    const write = await api('/v1/nodes/n1/drain', { method: 'POST', body: {}, token: '' });
    assert.deepEqual(problem(write), [401, 'unauthenticated']);
    assert.match(write.text, /--state-dir or ROLLCALL_STATE_DIR/);
    assert.doesNotMatch(write.text, /logins --link/);
    assert.deepEqual(problem(await api('/v1/nodes', { token: 'wrong' })), [401, 'unauthenticated']);
    assert.deepEqual(problem(await api('/v1/nodes', { token: '', headers: { 'x-forwarded-for': '8.8.8.8' } })), [
      401,
      'unauthenticated',
    ]);
  });

  test('outside --admin-allow is refused, with and without a token', async () => {
    const { api } = await coordinator({ adminAllow: ['10.0.0.0/8'] });
    assert.deepEqual(problem(await api('/v1/nodes')), [403, 'forbidden']);
    assert.equal((await api('/livez')).status, 200);
  });

  test('with another Host or from another web site is refused', async () => {
    const { coordinator: started, adminToken } = await coordinator({ controlHosts: ['rollcall.internal'] });
    const get = (headers: Record<string, string>) => raw(started.address.port, 'GET', '/v1/nodes', headers);
    assert.equal(await get({ host: `localhost:${started.address.port}` }), 200);
    assert.equal(await get({ host: 'rollcall.internal' }), 200);
    assert.equal(await get({ host: 'evil.example' }), 421);
    assert.equal(await get({ host: 'evil.example', authorization: `Bearer ${adminToken}` }), 200);
    assert.equal(await get({ host: 'localhost', origin: 'http://evil.example' }), 403);
    assert.equal(await get({ host: 'localhost', origin: 'http://localhost' }), 200);
  });

  /** Opens a new login link as a browser does, and returns its cookie and page key. */
  async function logIn({ coordinator: { loginLink }, api }: TestCoordinator) {
    const link = new URL(loginLink());
    const login = await api(link.pathname + link.search, { token: '' });
    assert.equal(login.status, 200, login.text);
    const field = login.headers.get('set-cookie') ?? '';
    assert.match(field, /^rollcall_login_[0-9]+=.*; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    assert.equal(login.headers.get('cache-control'), 'no-store');
    const [, pageKey = ''] = /name="rollcall-page-key" content="([\w-]+)"/.exec(login.text) ?? [];
    assert.ok(pageKey.length >= 22 && !field.includes(pageKey));
    return { link, cookie: field.split(';')[0]!, pageKey };
  }

  test('with the one-time link: once, with the page key, with the own Origin, as JSON', async () => {
    const started = await cluster('n1', 'n2');
    const { api } = started;
    const { link, cookie, pageKey } = await logIn(started);
    const again = await api(link.pathname + link.search, { token: '' });
    assert.deepEqual(problem(again), [401, 'unauthenticated']);
    const { url: origin, address } = started.coordinator;
    const own = { 'content-type': 'application/json', origin, cookie, 'rollcall-page-key': pageKey };
    const write = (headers: Record<string, string>) => raw(address.port, 'POST', '/v1/nodes/n1/drain', headers);
    assert.equal(await write(own), 200);
    const { origin: _, ...withoutOrigin } = own;
    assert.equal(await write(withoutOrigin), 403);
    assert.equal(await write({ ...own, origin: 'http://evil.example' }), 403);
    assert.equal(await write({ ...own, 'content-type': 'text/plain' }), 415);
    assert.equal(await write({ ...own, cookie: `${cookie}x` }), 401);
    assert.equal(await write({ ...own, 'rollcall-page-key': `${pageKey}x` }), 401);
    const { cookie: __, ...withoutCookie } = own;
    assert.equal(await write(withoutCookie), 401);
    // A page on another port of the host can add cookies of the same name in front.
    assert.equal(await write({ ...own, cookie: `${cookie.split('=')[0]}=planted; ${cookie}` }), 200);
  });

  test('with the cookie alone opens only the pages, which hold no data', async () => {
    const assets = new Map([
      ['/balancer-manager', { body: 'page', type: 'text/html' }],
      ['/server-status', { body: 'page', type: 'text/html' }],
    ]);
    const started = await coordinator({ assets });
    const { cookie, pageKey } = await logIn(started);
    const { port } = started.coordinator.address;
    // Acts as another machine, because requests from this machine may read without a login.
    const far = { 'x-forwarded-for': '10.9.9.9', host: 'localhost', cookie };
    for (const path of ['/balancer-manager', '/server-status', '/server-status?refresh=5'])
      assert.equal(await raw(port, 'GET', path, far), 200, path);
    for (const path of [
      '/v1/nodes',
      '/v1/events',
      '/v1/logins',
      '/metrics',
      '/server-status?auto',
      '/server-status?json',
    ])
      assert.equal(await raw(port, 'GET', path, far), 401, path);
    for (const path of ['/v1/login-link', '/v1/logout', '/v1/reload', '/v1/nodes/n1/drain']) {
      const headers = { ...far, origin: 'http://localhost', 'content-type': 'application/json' };
      assert.equal(await raw(port, 'POST', path, headers), 401, path);
    }
    assert.equal(await raw(port, 'GET', '/v1/nodes', { ...far, 'rollcall-page-key': pageKey }), 200);
    assert.equal(await raw(port, 'GET', '/server-status?auto', { ...far, 'rollcall-page-key': pageKey }), 200);
  });

  test('logins are listed and ended, by the browser itself and by an administrator', async () => {
    const started = await coordinator();
    const { api } = started;
    const own = async () => {
      const { cookie, pageKey } = await logIn(started);
      return { origin: started.coordinator.url, cookie, 'rollcall-page-key': pageKey };
    };
    const one = await own();
    const two = await own();
    const list = async (headers: Record<string, string>) =>
      (await api('/v1/logins', { token: '', headers })).json<{ logins: LoginResource[] }>().logins;
    const logins = await list(one);
    assert.deepEqual(
      logins.map(({ isCurrent, from }) => [isCurrent, from]),
      [
        [false, '127.0.0.1'],
        [true, '127.0.0.1'],
      ],
    );
    const out = await api('/v1/logout', { method: 'POST', body: {}, token: '', headers: one });
    assert.deepEqual([out.status, out.text], [204, '']);
    assert.match(out.headers.get('set-cookie') ?? '', /^rollcall_login_[0-9]+=; .*Max-Age=0$/);
    assert.equal((await api('/v1/logins', { token: '', headers: one })).status, 401);
    assert.deepEqual(problem(await api('/v1/logout', { method: 'POST', body: {} })), [409, 'conflict']);
    const [left] = await list(two);
    const stream = await fetch(`${started.coordinator.url}/v1/events`, {
      headers: { ...two, accept: 'text/event-stream' },
    });
    const ended = await api(`/v1/logins/${left!.id}`, { method: 'DELETE' });
    assert.equal(ended.status, 204);
    assert.equal((await api('/v1/logins', { token: '', headers: two })).status, 401);
    assert.match(await stream.text(), /: the login has ended\n\n$/);
    assert.equal((await api(`/v1/logins/${left!.id}`, { method: 'DELETE' })).status, 404);
    const { events } = (await api('/v1/events')).json<{ events: EventResource[] }>();
    assert.deepEqual(
      events.map(({ type }) => type).filter((type) => type.startsWith('log')),
      ['login', 'login', 'logout', 'logout'],
    );
  });

  test('a login outlives a restart', async (t) => {
    const stateDir = await mkdtemp(join(tmpdir(), 'rollcall-logins-'));
    t.after(() => rm(stateDir, { recursive: true, force: true }));
    const first = await startTestCoordinator({ stateDir });
    const { cookie, pageKey } = await logIn(first);
    const listen = first.coordinator.address;
    await first.coordinator.close();
    const second = await startTestCoordinator({ stateDir, listen });
    closers.push(() => second.close());
    const headers = { origin: second.coordinator.url, cookie, 'rollcall-page-key': pageKey };
    assert.equal((await second.api('/v1/logins', { token: '', headers })).status, 200);
  });

  test('an administrator gets a new login link', async () => {
    const { api } = await coordinator();
    const { url } = (await api('/v1/login-link', { method: 'POST', body: {} })).json<{ url: string }>();
    const { pathname, search } = new URL(url);
    assert.equal((await api(pathname + search, { token: '' })).status, 200);
  });
});

describe('events', () => {
  test('are a list; with since only later events are listed', async () => {
    const { api } = await cluster('n1');
    const { events } = (await api('/v1/events')).json<{ events: EventResource[] }>();
    const types = events.map(({ type }) => type);
    assert.ok(types.includes('registered') && types.includes('up'), types.join());
    const later = (await api(`/v1/events?since=${events[0]!.id}`)).json<{ events: EventResource[] }>();
    assert.equal(later.events[0]?.id, events[0]!.id + 1);
  });

  test('can be streamed and resumed after the last received event', async () => {
    const { api, coordinator: started } = await cluster('n1');
    const { events } = (await api('/v1/events')).json<{ events: EventResource[] }>();
    const last = events.at(-1)!;
    const response = await fetch(`${started.url}/v1/events`, {
      headers: { accept: 'text/event-stream', 'last-event-id': String(last.id) },
    });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    await api('/v1/nodes/n1/drain', { method: 'POST', body: { force: true } });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes('\ndata: ')) break;
    }
    const id = Number(/^id: (\d+)$/m.exec(text)?.[1]);
    assert.equal(id, last.id + 1);
    assert.match(text, /"type":"status"/);
  });
});

describe('contexts without nodes', () => {
  test('are named by the message, 20 at most, and listed by the answer, before and when they are forgotten', async () => {
    const { api } = await coordinator();
    const body = { balancer: 'shop', hosts: ['shop.test'] };
    const paths = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `/${prefix}${i}`);
    for (const [id, contexts] of [
      ['n1', paths('a', 15)],
      ['n2', paths('b', 9)],
    ] as const) {
      await api(`/v1/nodes/${id}`, { method: 'PUT', body: { ...body, contexts, url: (await node()).url } });
      await api(`/v1/nodes/${id}`, { method: 'DELETE', body: { force: true } });
    }
    const forget = async (more: object) =>
      (await api('/v1/contexts/forget', { method: 'POST', body: more })).json<ForgetResult>();
    const named = [...paths('a', 15), ...paths('b', 5)].map((path) => `${path} on shop.test`).join(', ');
    const dry = await forget({ dryRun: true });
    assert.equal(dry.message, `would forget all contexts without nodes: ${named} and 4 more`);
    assert.deepEqual([dry.contexts.length, dry.contexts[0]?.path, dry.contexts[0]?.host], [24, '/a0', 'shop.test']);
    const one = await forget({ path: '/b8' });
    assert.equal(one.message, 'forgot /b8 without nodes: /b8 on shop.test; the workers forget them too');
    assert.deepEqual(
      one.contexts.map(({ path }) => path),
      ['/b8'],
    );
    assert.match((await forget({})).message, /^forgot all contexts without nodes: .* and 3 more; the workers/);
    const none = await forget({ dryRun: true });
    assert.deepEqual([none.contexts, none.isChanged], [[], false]);
    assert.match(none.message, /: no such context is remembered$/);
  });
});

describe('explanation of a node', () => {
  test('has load factor, metrics and shares with reasons; for an unknown node it is 404', async () => {
    const { api } = await cluster('n1', 'n2');
    const { url } = (await api('/v1/nodes/n1')).json<NodeResource>();
    await api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url, group: 'eu', load: 0.25, sessions: 3 } });
    await api('/v1/nodes/n2/drain', { method: 'POST', body: { reason: 'deploy', force: true } });
    const one = (await api('/v1/nodes/n1/explain')).json<NodeExplanation>();
    assert.deepEqual([one.load, one.meanLoad, one.loadFactor, one.balancer], [0.25, 0.25, 75, 'shop']);
    assert.deepEqual(one.sessions, { count: 3, share: 1, fairShare: 1 });
    assert.ok(one.because.includes('load 25 %: load factor 75'), one.because.join());
    const other = (await api('/v1/nodes/n2/explain')).json<NodeExplanation>();
    assert.match(other.because[0]!, /^it is draining by admin \(deploy\)/);
    assert.deepEqual([other.toldMs, other.requests.fairShare], [-1, 0]);
    assert.deepEqual(problem(await api('/v1/nodes/n3/explain')), [404, 'not-found']);
  });
});

describe('documents and pages', () => {
  test('openapi.json names every resource', async () => {
    const { api } = await coordinator();
    const { paths, openapi } = (await api('/openapi.json')).json<{ paths: Record<string, object>; openapi: string }>();
    assert.match(openapi, /^3\.1/);
    assert.deepEqual(Object.keys(paths).sort(), [
      '/v1/audit',
      '/v1/balancers',
      '/v1/balancers/{name}',
      '/v1/balancers/{name}/acknowledge',
      '/v1/balancers/{name}/drain',
      '/v1/balancers/{name}/enable',
      '/v1/balancers/{name}/scale',
      '/v1/balancers/{name}/stop',
      '/v1/contexts/forget',
      '/v1/coordinators',
      '/v1/coordinators/applied',
      '/v1/coordinators/{name}',
      '/v1/decisions',
      '/v1/decisions/{requestId}',
      '/v1/drains',
      '/v1/drains/{node}',
      '/v1/drains/{node}/end',
      '/v1/events',
      '/v1/explain',
      '/v1/groups/{name}/drain',
      '/v1/groups/{name}/enable',
      '/v1/groups/{name}/stop',
      '/v1/login-link',
      '/v1/logins',
      '/v1/logins/{id}',
      '/v1/logout',
      '/v1/mcmp/dump',
      '/v1/mcmp/info',
      '/v1/nodes',
      '/v1/nodes/drain',
      '/v1/nodes/enable',
      '/v1/nodes/stop',
      '/v1/nodes/{id}',
      '/v1/nodes/{id}/acknowledge',
      '/v1/nodes/{id}/drain',
      '/v1/nodes/{id}/enable',
      '/v1/nodes/{id}/explain',
      '/v1/nodes/{id}/stop',
      '/v1/reload',
      '/v1/rotate',
      '/v1/status',
      '/v1/tokens',
      '/v1/tokens/{name}',
      '/v1/tokens/{name}/rotate',
      '/v1/undo',
      '/v1/watch',
    ]);
  });

  test('metrics are Prometheus text', async () => {
    const { api } = await cluster('n1');
    const { text, headers } = await api('/metrics');
    assert.match(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(text, /^rollcall_nodes\{liveness="up"\} 1$/m);
    assert.match(text, /^rollcall_nodes_flapping 0$/m);
    assert.match(text, /^rollcall_node_sessions\{node="n1",balancer="shop"\} 0$/m);
    await api('/v1/nodes/n1', { method: 'DELETE', body: { force: true } });
    assert.doesNotMatch((await api('/metrics')).text, /node="n1"/);
  });

  test('server-status has Apache’s keys, JSON and refresh', async () => {
    const { api } = await cluster('n1');
    const auto = await api('/server-status?auto', { token: '' });
    for (const key of [
      'Total Accesses',
      'Total kBytes',
      'Uptime',
      'ReqPerSec',
      'BytesPerSec',
      'BusyWorkers',
      'IdleWorkers',
      'Scoreboard',
    ])
      assert.match(auto.text, new RegExp(`^${key}: `, 'm'));
    assert.match(auto.text, /^ProxyBalancer\[0\]Name: balancer:\/\/shop$/m);
    assert.match(auto.text, /^ProxyBalancer\[0\]Worker\[0\]Status: Init Ok$/m);
    const json = await api('/server-status?json&refresh=5');
    assert.equal(json.headers.get('refresh'), '5');
    assert.equal(json.json<{ nodes: NodeResource[] }>().nodes[0]?.id, 'n1');
    assert.deepEqual(problem(await api('/server-status?refresh=-1')), [400, 'bad-field']);
  });

  test('assets are served with a policy that allows no other sources', async () => {
    const assets = new Map([
      ['/balancer-manager', { body: '<!doctype html><title>x</title>', type: 'text/html; charset=utf-8' }],
      ['/server-status', { body: '<!doctype html><title>s</title>', type: 'text/html; charset=utf-8' }],
    ]);
    const { api } = await coordinator({ assets });
    for (const path of assets.keys()) {
      const { status, headers, text } = await api(path, { token: '' });
      assert.equal(status, 200);
      assert.match(text, /<title>/);
      assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'; script-src 'self'/);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
    }
  });

  test('health needs no token', async () => {
    const { api } = await coordinator();
    assert.deepEqual(
      [(await api('/livez', { token: '' })).text, (await api('/readyz', { token: '' })).status],
      ['ok\n', 200],
    );
  });
});

/** A request with headers that `fetch` does not allow. */
function raw(port: number, method: string, path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    })
      .once('error', reject)
      .end(method === 'POST' ? '{}' : undefined);
  });
}

describe('answers and the store', () => {
  test('every write is marked pending while the store rejects it, and no longer once the store has it', async () => {
    const { url } = await node();
    const memory = memoryStore();
    let isFull = false;
    const store: Store = {
      ...memory,
      write: (records) => (isFull ? Promise.reject(new Error('ENOSPC: no space left')) : memory.write(records)),
      remove: (keys) => (isFull ? Promise.reject(new Error('ENOSPC: no space left')) : memory.remove(keys)),
    };
    const { api } = await coordinator({ store });
    await api('/v1/nodes/n1', { method: 'PUT', body: { balancer: 'shop', url } });
    const writes: readonly (readonly [string, string, object])[] = [
      ['PUT', '/v1/nodes/n2', { balancer: 'shop', url }],
      ['POST', '/v1/nodes/n1/drain', { force: true }],
      ['POST', '/v1/balancers/shop/stop', { force: true }],
      ['PATCH', '/v1/nodes/n1', { weight: 2 }],
      ['PATCH', '/v1/balancers/shop', { retries: 0 }],
      ['POST', '/v1/nodes/n1/enable', {}],
      ['DELETE', '/v1/nodes/n1', { force: true }],
    ];
    isFull = true;
    for (const [method, path, body] of writes) {
      const { status, json, text } = await api(path, { method, body });
      assert.deepEqual([status, json<WriteResult>().pending], [200, true], `${method} ${path}: ${text}`);
      assert.match(json<WriteResult>().message, /pending: the store \(memory\) does not have it yet: ENOSPC/);
    }
    const dry = await api('/v1/nodes/n2/drain', { method: 'POST', body: { dryRun: true } });
    assert.equal(dry.json<WriteResult>().pending, undefined);
    isFull = false;
    for (let waiting = 1; waiting > 0; )
      waiting = (await api('/v1/status')).json<{ store: { waiting: number } }>().store.waiting;
    const stored = await api('/v1/nodes/n2/enable', { method: 'POST', body: {} });
    assert.equal(stored.json<WriteResult>().pending, undefined);
    const keys = (await memory.load()).map(({ key }) => key).sort();
    assert.deepEqual(keys, ['balancer/shop', 'cluster/id', 'node/n1', 'node/n2']);
  });
});
