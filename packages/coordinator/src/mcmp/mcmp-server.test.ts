import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { parseNodeId } from '@rollcall/protocol';
import { pino } from 'pino';
import type { ControlTls } from '../network/control-tls.ts';
import { selfSigned } from '../testing/self-signed.ts';
import { startTestCoordinator } from '../testing/test-coordinator.ts';
import { mcmpClient, program, until } from './mcmp-client.fixture.ts';

const LISTEN = { host: '127.0.0.1', port: 0 };

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

test('a range may stand for a token: its bindings apply, and its end ends the nodes', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(line) });
  const setup = await startTestCoordinator({ log, mcmp: { listen: LISTEN, allow: ['127.0.0.1=java', '127.0.0.0/8'] } });
  const early = await mcmpClient(setup);
  early.send('INFO').catch(() => {});
  await early.closed;
  assert.match(lines.join(''), /--mcmp-allow names the token java, which does not exist/);
  const bindings = { contexts: ['/shop'], nodes: 1 };
  const made = await setup.api('/v1/tokens', { method: 'POST', body: { name: 'java', role: 'join', bindings } });
  assert.equal(made.status, 200, made.text);
  const client = await mcmpClient(setup);
  const { server, port } = await program();
  await client.send('CONFIG', `JVMRoute=n1&Host=127.0.0.1&Port=${port}&Type=http`);
  assert.match(await client.send('ENABLE-APP', 'JVMRoute=n1&Alias=a&Context=%2Fother'), /Type: GENERAL/);
  assert.match(await client.send('ENABLE-APP', 'JVMRoute=n1&Alias=a&Context=%2Fshop'), /^HTTP\/1\.1 200/);
  assert.equal((await until(setup, 'n1', ({ liveness }) => liveness === 'up')).id, 'n1');
  assert.equal(setup.coordinator.registry.node(parseNodeId('n1')!)?.owner, 'java');
  await setup.api('/v1/tokens/java', { method: 'DELETE' });
  await until(setup, 'n1', ({ liveness }) => liveness === 'gone');
  server.close();
  client.close();
  await setup.close();
});

test('INFO and DUMP are in the admin API, as text and as XML', async () => {
  const setup = await startTestCoordinator({ mcmp: { listen: LISTEN } });
  const client = await mcmpClient(setup);
  await client.send('CONFIG', 'JVMRoute=n1&Host=127.0.0.1&Port=7001&Type=http');
  const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);
  for (const type of ['INFO', 'DUMP']) {
    const { status, text, headers } = await setup.api(`/v1/mcmp/${type.toLowerCase()}`);
    assert.deepEqual([status, headers.get('content-type')], [200, 'text/plain; charset=utf-8']);
    assert.equal(text, bodyOf(await client.send(type)));
    const xml = await setup.api(`/v1/mcmp/${type.toLowerCase()}`, { headers: { accept: 'text/xml' } });
    assert.equal(xml.headers.get('content-type'), 'text/xml; charset=utf-8');
    assert.match(xml.text, type === 'INFO' ? /<Node id="1" name="n1">/ : /<JVMRoute>n1<\/JVMRoute>/);
  }
  client.close();
  await setup.close();
});

test('an address of another machine cannot be advertised', async () => {
  const group = { host: '224.0.1.105', port: 23_364 };
  await assert.rejects(
    startTestCoordinator({ mcmp: { listen: LISTEN, advertise: { group, address: '192.0.2.1' } } }),
    /cannot advertise the MCMP listener from 192\.0\.2\.1 \(EADDRNOTAVAIL\); name an address of this machine/,
  );
});

test('without the option there is no listener', async () => {
  const setup = await startTestCoordinator();
  assert.equal(setup.coordinator.mcmpAddress, undefined);
  const { status, text } = await setup.api('/v1/mcmp/info');
  assert.equal(status, 404);
  assert.match(text, /start it with --mcmp ADDRESS/);
  await setup.close();
});
