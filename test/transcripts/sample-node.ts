/** The node of the transcripts: a server with the SDK of this release. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { RollcallNode, systemTimers } from '@rollcall/agent';

export interface SampleNode {
  readonly node: RollcallNode;
  readonly url: string;
  /** Resolves when the agent connects no more. */
  readonly stopped: Promise<unknown>;
}

export async function startSampleNode(t: TestContext, coordinator: string): Promise<SampleNode> {
  const server = createServer((_, response) => response.end('sample\n'));
  const node = new RollcallNode(
    {
      id: 'sample-1',
      balancer: 'sample',
      hosts: ['sample.test'],
      contexts: ['/', '/app'],
      weight: 2,
      group: 'eu-1',
      version: '1.4.2',
      sticky: { mode: 'suffix', cookies: ['connect.sid'] },
      meta: { build: '7' },
      coordinator,
      signals: [],
      log: () => undefined,
    },
    { ROLLCALL_URL: coordinator },
    systemTimers(),
  );
  const stopped = new Promise((resolve) => node.on('error', resolve));
  node.attach(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { node, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stopped };
}
