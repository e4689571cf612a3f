/** Operators change settings continuously while the control process is killed: answered changes exist after each kill. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BalancerResource } from '@rollcall/protocol';
import { LiveCluster } from '../live-cluster/cluster.ts';

const KILLS = 20;
const OPERATORS = 8;

test(`${KILLS} kills of the control process under ${OPERATORS} operators lose no answered change`, {
  timeout: 300_000,
}, async (t) => {
  const cluster = await LiveCluster.start();
  t.after(() => cluster.close());
  const node = createServer((_, response) => response.end());
  await new Promise<void>((resolve) => {
    node.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => node.close());
  const url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
  const token = readFileSync(join(cluster.stateDir, 'admin-token'), 'utf8').trim();
  const api = async <Body>(method: string, path: string, body?: object): Promise<Body> => {
    const response = await fetch(cluster.controlUrl + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, text);
    return JSON.parse(text) as Body;
  };
  const balancers = Array.from({ length: OPERATORS }, (_, i) => `b${i}`);
  for (const [i, balancer] of balancers.entries())
    await api('PUT', `/v1/nodes/n${i}`, { balancer, url, hosts: [`${balancer}.test`] });

  const answered = new Map<string, number>(balancers.map((balancer) => [balancer, 0]));
  let value = 1_000;
  let answers = 0;
  /** Changes one balancer until the control process is gone. */
  const operate = async (balancer: string): Promise<void> => {
    for (;;) {
      const sessionIdleMs = value++;
      try {
        const { pending } = await api<{ pending?: true }>('PATCH', `/v1/balancers/${balancer}`, { sessionIdleMs });
        assert.ok(!pending);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        return;
      }
      answered.set(balancer, sessionIdleMs);
      answers += 1;
    }
  };
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = answers;
    const operators = balancers.map(operate);
    while (answers < before + 20 + ((kill * 37) % 50)) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([cluster.killControl(), ...operators]);
    for (const [balancer, last] of answered) {
      const { sessionIdleMs } = await api<BalancerResource>('GET', `/v1/balancers/${balancer}`);
      assert.ok(sessionIdleMs >= last, `kill ${kill}: ${balancer} has ${sessionIdleMs}, ${last} was answered`);
    }
  }
  t.diagnostic(`${answers} answered changes, ${KILLS} kills`);
});
