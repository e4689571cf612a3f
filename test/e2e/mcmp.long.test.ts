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
