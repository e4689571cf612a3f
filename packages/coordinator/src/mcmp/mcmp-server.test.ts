import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { type NodeResource, parseNodeId } from '@rollcall/protocol';
import type { ControlTls } from '../network/control-tls.ts';
import { selfSigned } from '../testing/self-signed.ts';
import { startTestCoordinator, type TestCoordinator } from '../testing/test-coordinator.ts';

const LISTEN = { host: '127.0.0.1', port: 0 };

interface McmpClient {
  /** The answer to one message: head and body. */
  send(method: string, body?: string, target?: string): Promise<string>;
  close(): void;
}

async function mcmpClient({ coordinator }: TestCoordinator): Promise<McmpClient> {
  const { port } = coordinator.mcmpAddress!;
  const open = async (): Promise<Socket> => {
    const made = connect(port, '127.0.0.1');
    made.setEncoding('latin1');
    await once(made, 'connect');
    return made;
  };
  let socket = await open();
  return {
    send: async (method, body = '', target = '/') => {
      // As the Java listener does: a new connection after one that was closed.
      if (socket.destroyed || socket.readableEnded) socket = await open();
      let all = '';
      const done = new Promise<string>((resolve) => {
        const take = (part: string): void => {
          all += part;
          const [head = '', rest = ''] = all.split('\r\n\r\n');
          if (!all.includes('\r\n\r\n')) return;
          if (rest.length < Number(/Content-Length: (\d+)/.exec(head)?.[1])) return;
          socket.removeListener('data', take);
          resolve(all);
        };
        socket.on('data', take);
      });
      const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
      socket.write(`${method} ${target} HTTP/1.1\r\nHost: x\r\n${length}Connection: Keep-Alive\r\n\r\n${body}`);
      const answer = await done;
      if (answer.includes('Connection: close')) socket.destroy();
      return answer;
    },
    close: () => socket.destroy(),
  };
}

async function program(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

/** Resolves when the registry has the node in this state. */
async function until(setup: TestCoordinator, id: string, isSo: (node: NodeResource) => boolean): Promise<NodeResource> {
  for (;;) {
    const answer = await setup.api(`/v1/nodes/${id}`);
    if (answer.status === 200 && isSo(answer.json<NodeResource>())) return answer.json<NodeResource>();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a node of mod_cluster registers, is probed, and reports its load', async () => {
  const setup = await startTestCoordinator({ mcmp: { listen: LISTEN } });
  const { server, port } = await program();
  const client = await mcmpClient(setup);
  assert.match(await client.send('INFO'), /^HTTP\/1\.1 200 OK\r\n/);
  const config = `JVMRoute=node.1&Host=127.0.0.1&Port=${port}&StickySessionForce=No&Type=http`;
  assert.match(await client.send('CONFIG', config), /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(await client.send('ENABLE-APP', 'JVMRoute=node.1&Alias=localhost&Context=%2Fapp'), /^HTTP\/1\.1 200/);
  assert.match(await client.send('STATUS', 'JVMRoute=node.1&Load=75'), /State=OK&id=\d{16}\n$/);
  const node = await until(setup, 'node--2e1', ({ liveness }) => liveness === 'up');
  assert.deepEqual(
    [node.route, node.balancer, node.url, node.load, node.loadFactor, node.contexts],
    ['node.1', 'mycluster', `http://127.0.0.1:${port}`, 0.25, 75, [{ path: '/app', status: 'enabled' }]],
  );
  assert.match(await client.send('INFO'), /Node: \[1\],Name: node\.1,Balancer: mycluster,.*Load: 75\nVhost: /);
  assert.match(
    await client.send('STOP-APP', 'JVMRoute=node.1&Alias=localhost&Context=%2Fapp'),
    /Type=STOP-APP-RSP&JvmRoute=node\.1&Alias=localhost&Context=\/app&Requests=0\n$/,
  );
  await until(setup, 'node--2e1', ({ contexts }) => contexts[0]?.status === 'stopped');
  await client.send('REMOVE-APP', 'JVMRoute=node.1', '/*');
  await until(setup, 'node--2e1', ({ liveness }) => liveness === 'gone');
  client.close();
  server.close();
  await setup.close();
});

test('an address that no node may have is refused, and the node tries again', async () => {
  const setup = await startTestCoordinator({ mcmp: { listen: LISTEN } });
  const client = await mcmpClient(setup);
  const { port } = setup.coordinator.mcmpAddress!;
  for (const place of [`Host=127.0.0.1&Port=${port}`, 'Host=169.254.1.1&Port=80', 'Host=192.0.2.1&Port=80'])
    assert.match(
      await client.send('CONFIG', `JVMRoute=n1&${place}&Type=http`),
      /^HTTP\/1\.1 500 [\s\S]*Type: GENERAL\r\nMess: GENERAL: http:\/\/.* may not be a node/,
      place,
    );
  client.close();
  await setup.close();
});

test('beyond loopback the listener is refused without ranges and without client certificates', async () => {
  const listen = { host: '0.0.0.0', port: 0 };
  await assert.rejects(startTestCoordinator({ mcmp: { listen } }), /refusing to listen on 0\.0\.0\.0:0 for MCMP/);
  await assert.rejects(
    startTestCoordinator({ mcmp: { listen, allow: ['10.0.0.0/40'] } }),
    /10\.0\.0\.0\/40 is not a range/,
  );
  const setup = await startTestCoordinator({ mcmp: { listen, allow: ['10.0.0.0/8'] } });
  const client = await mcmpClient(setup);
  assert.match(await client.send('PING'), /State=OK/, 'loopback is always admitted');
  client.close();
  await setup.close();
});

/** Certificates of the control port, which asks clients for theirs. */
function controlTls(context: tls.SecureContextOptions): ControlTls {
  return { context, asksClients: true, path: 'control.crt', endsAtUnixMs: Date.now() + 86_400_000, onChange: () => {} };
}

test('with TLS a client certificate stands for its token, and the bindings of the token apply', async (t) => {
  const server = selfSigned(t, 'control', 20);
  const client = selfSigned(t, 'tomcat', 20);
  const options = {
    tls: controlTls({ ...server, ca: client.cert }),
    mcmp: { listen: LISTEN },
  };
  const first = await startTestCoordinator(options);
  await first.coordinator.close();
  const path = join(first.stateDir, 'tokens.json');
  const file = JSON.parse(readFileSync(path, 'utf8')) as { tokens: object[] };
  const sha256 = createHash('sha256').update(randomBytes(32)).digest('hex');
  const bindings = { contexts: ['/shop'] };
  file.tokens.push({ name: 'java', role: 'join', certificate: 'tomcat', sha256, bindings });
  writeFileSync(path, JSON.stringify(file));
  const setup = await startTestCoordinator({ ...options, stateDir: first.stateDir });
  const { port } = setup.coordinator.mcmpAddress!;
  const send = async (method: string, body: string): Promise<string> => {
    const socket = tls.connect({ port, host: '127.0.0.1', ...client, rejectUnauthorized: false });
    socket.setEncoding('latin1');
    let all = '';
    socket.on('data', (part: string) => {
      all += part;
    });
    const length = `Content-Length: ${body.length}\r\nConnection: close\r\n`;
    socket.write(`${method} / HTTP/1.1\r\nHost: x\r\n${length}\r\n${body}`);
    await once(socket, 'close');
    return all;
  };
  const { server: node, port: nodePort } = await program();
  assert.match(await send('CONFIG', `JVMRoute=n1&Host=127.0.0.1&Port=${nodePort}&Type=http`), /^HTTP\/1\.1 200/);
  assert.match(
    await send('ENABLE-APP', 'JVMRoute=n1&Alias=localhost&Context=%2Fother'),
    /^HTTP\/1\.1 500 [\s\S]*Type: GENERAL\r\nMess: GENERAL: the registration of n1 is not allowed/,
  );
  assert.match(await send('ENABLE-APP', 'JVMRoute=n1&Alias=localhost&Context=%2Fshop'), /^HTTP\/1\.1 200/);
  assert.equal(setup.coordinator.registry.node(parseNodeId('n1')!)?.owner, 'java');
  node.close();
  await setup.close();
});

test('without the option there is no listener', async () => {
  const setup = await startTestCoordinator();
  assert.equal(setup.coordinator.mcmpAddress, undefined);
  await setup.close();
});
