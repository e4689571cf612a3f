/** Nodes that speak MCMP, as Tomcat and WildFly do, behind `rollcall up --mcmp`: sessions, standby, stop of a context, restart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '@rollcall/core/testing';
import type { NodeResource } from '@rollcall/protocol';
import { ServletProgram, visit } from '../site/servlet-program.ts';
import { startUp, type Up, until } from './up.ts';

/** Waits until a request without a session is answered by one of these nodes. */
function served(up: Up, ...bodies: string[]): Promise<void> {
  return until(
    async () => bodies.includes((await visit(up.proxyUrl, '/app/')).body),
    `an answer of ${bodies.join(' or ')}`,
  );
}

test('nodes of mod_cluster: sessions by jvmRoute, standby, stop of a context, restart at another port', async () => {
  const mcmpPort = await freePort();
  const up = await startUp('--mcmp', `127.0.0.1:${mcmpPort}`);
  const [one, two] = [
    await ServletProgram.start('node.1:a', mcmpPort),
    await ServletProgram.start('tomcat2', mcmpPort),
  ];
  try {
    await one.register(80);
    await two.register(0);
    const nodes = async (): Promise<NodeResource[]> =>
      (await up.api<{ nodes: NodeResource[] }>('GET', '/v1/nodes')).nodes;
    await until(async () => (await nodes()).every(({ liveness }) => liveness === 'up'), 'both nodes');
    const [first] = await nodes();
    assert.deepEqual([first?.id, first?.route, first?.balancer], ['node--2e1--3aa', 'node.1:a', 'mycluster']);
    await served(up, 'node.1:a');

    // Load 0 is standby: it gets no new session, and keeps its own.
    for (let i = 0; i < 10; i++) assert.equal((await visit(up.proxyUrl, '/app/')).body, 'node.1:a');
    assert.equal((await visit(up.proxyUrl, '/app/', 'JSESSIONID=XYZ.tomcat2')).body, 'tomcat2');
    assert.equal((await visit(up.proxyUrl, '/app/;jsessionid=XYZ.tomcat2')).body, 'tomcat2');

    // The route is the whole text after the first dot.
    await two.send('STATUS', '&Load=100');
    for (let i = 0; i < 10; i++)
      assert.equal((await visit(up.proxyUrl, '/app/', 'JSESSIONID=XYZ.node.1:a')).body, 'node.1:a');

    // A disabled context keeps its sessions; a stopped one waits for its requests.
    const begun = one.begun();
    const slow = visit(up.proxyUrl, '/app/slow', 'JSESSIONID=XYZ.node.1:a');
    await begun;
    await one.send('DISABLE-APP', '&Alias=localhost&Context=%2Fapp');
    await served(up, 'tomcat2');
    assert.equal((await visit(up.proxyUrl, '/app/', 'JSESSIONID=XYZ.node.1:a')).body, 'node.1:a');
    assert.match(await one.send('STOP-APP', '&Alias=localhost&Context=%2Fapp'), /&Requests=1\n$/);
    one.release();
    assert.deepEqual(await slow, { status: 200, body: 'node.1:a' });
    assert.match(await one.send('STOP-APP', '&Alias=localhost&Context=%2Fapp'), /&Requests=0\n$/);
    assert.equal((await visit(up.proxyUrl, '/app/', 'JSESSIONID=XYZ.node.1:a')).body, 'tomcat2');

    // What an operator has drained stays drained when the node registers again.
    await one.register(80);
    await up.api('POST', '/v1/nodes/tomcat2/drain', { reason: 'deploy' });
    await two.register(90);
    const resource = await up.api<NodeResource>('GET', '/v1/nodes/tomcat2');
    assert.equal(resource.contexts[0]?.status, 'draining');
    await up.api('POST', '/v1/nodes/tomcat2/enable', {});
    await served(up, 'tomcat2');

    // The same route at another port: the dead node is replaced.
    await two.close();
    const again = await ServletProgram.start('tomcat2', mcmpPort);
    try {
      await until(async () => {
        const answer = await again.send('CONFIG', `&Host=127.0.0.1&Port=${again.port}&Type=http&StickySessionForce=No`);
        return answer.startsWith('HTTP/1.1 200');
      }, 'the dead node to be replaced');
      await again.register(100);
      await served(up, 'tomcat2');
    } finally {
      await again.close();
    }
  } finally {
    await one.close();
    await two.close().catch(() => {});
    await up.close();
  }
});

test('virtual hosts of nodes of mod_cluster: the same path on two nodes, a stop on one alias, a default host', async () => {
  const mcmpPort = await freePort();
  const up = await startUp('--mcmp', `127.0.0.1:${mcmpPort}`, '--mcmp-aliases', 'on');
  const [shop, both] = [await ServletProgram.start('shop', mcmpPort), await ServletProgram.start('both', mcmpPort)];
  const bodyOn = async (host: string, path = '/app/', cookie = ''): Promise<string | number> => {
    const { status, body } = await visit(up.proxyUrl, path, cookie, host);
    return status === 200 ? body : status;
  };
  const becomes = (expected: string | number, ...request: Parameters<typeof bodyOn>): Promise<void> =>
    until(async () => (await bodyOn(...request)) === expected, `${request.join(' ')} to be ${expected}`);
  try {
    await shop.register(100, 'Shop.example,www.shop.example');
    await both.register(100, 'intern.example');
    await both.send('ENABLE-APP', '&Alias=other.example&Context=%2Fapp');
    await becomes('shop', 'shop.example');
    await becomes('both', 'intern.example');
    await becomes('both', 'other.example');
    for (let i = 0; i < 5; i++) {
      assert.equal(await bodyOn('WWW.shop.example:8080'), 'shop');
      assert.equal(await bodyOn('intern.example'), 'both');
    }
    assert.equal(await bodyOn('unknown.example'), 404);
    // A session of another host is a new one here.
    assert.equal(await bodyOn('shop.example', '/app/', 'JSESSIONID=XYZ.both'), 'shop');

    // The slow request of one alias does not count for the stop on another one.
    const begun = both.begun();
    const slow = bodyOn('other.example', '/app/slow');
    await begun;
    assert.match(await both.send('STOP-APP', '&Alias=intern.example&Context=%2Fapp'), /&Requests=0\n$/);
    assert.match(await both.send('STOP-APP', '&Alias=other.example&Context=%2Fapp'), /&Requests=1\n$/);
    both.release();
    assert.equal(await slow, 'both');
    await both.send('ENABLE-APP', '&Alias=other.example&Context=%2Fapp');
    await becomes('both', 'other.example');
    assert.equal(await bodyOn('intern.example', '/app/', 'JSESSIONID=XYZ.both'), 503);

    // Disabled on one alias: its sessions stay, new ones have no node.
    await both.send('DISABLE-APP', '&Alias=intern.example&Context=%2Fapp');
    await becomes('both', 'intern.example', '/app/', 'JSESSIONID=XYZ.both');
    assert.equal(await bodyOn('intern.example'), 503);
    assert.equal(await bodyOn('other.example'), 'both');
    const { contexts } = await up.api<NodeResource>('GET', '/v1/nodes/both');
    assert.deepEqual(contexts.map(({ status }) => status).sort(), ['draining', 'enabled']);

    // The default host of WildFly gets what no alias has.
    const wildfly = await ServletProgram.start('wildfly', mcmpPort);
    try {
      await wildfly.register(100, 'default-host,localhost');
      await becomes('wildfly', 'unknown.example');
      assert.equal(await bodyOn('shop.example'), 'shop');
    } finally {
      await wildfly.close();
    }
  } finally {
    await shop.close();
    await both.close();
    await up.close();
  }
});
