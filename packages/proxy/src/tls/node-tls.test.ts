import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Engine } from '../engine/engine.ts';
import { connectRawClient } from '../engine/raw-client.fixture.ts';
import { ScriptedRouter, upstreamNode } from '../engine/scripted-router.fixture.ts';
import { makeAuthority } from '../testing/authority.ts';
import type { CertificateFiles } from './certificates.ts';
import { type NodeTlsOptions, nodeTls } from './node-tls.ts';

/** An https node that reports whether its connection resumed an earlier session. */
async function startNode(t: TestContext, { cert, key }: CertificateFiles): Promise<number> {
  const server = https.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
    const { socket } = request as unknown as { socket: { isSessionReused(): boolean } };
    response.setHeader('connection', 'close').end(socket.isSessionReused() ? 'again' : 'new');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** The answer of an engine for a node at that port. */
async function ask(t: TestContext, port: number, options: NodeTlsOptions, count = 1) {
  const router = new ScriptedRouter();
  router.nodes.push({ ...upstreamNode('n1', port), isTls: true });
  const warnings: string[] = [];
  const log = { debug: () => {}, warn: (fields: object) => warnings.push((fields as { reason: string }).reason) };
  const engine = new Engine({ router, nodeTls: nodeTls(options), log });
  t.after(() => engine.close(0));
  const { port: at } = await engine.listen({ host: '127.0.0.1', port: 0 });
  const answers: string[] = [];
  for (let i = 0; i < count; i++) {
    const client = await connectRawClient(at);
    t.after(() => client.close());
    client.write('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
    answers.push(await client.ended());
  }
  return { answers, warnings, reports: router.reports };
}

test('a node is verified by the CA of the operator, by its address or by a name', async (t) => {
  const authority = makeAuthority(t);
  const byAddress = await startNode(t, authority.issue('address', ['127.0.0.1']));
  const byName = await startNode(t, authority.issue('name', ['shop.internal']));
  const { caFile } = authority;
  assert.match((await ask(t, byAddress, { caFile })).answers[0]!, /^HTTP\/1\.1 200 [\s\S]*new$/);
  assert.match((await ask(t, byName, { caFile, serverName: 'shop.internal' })).answers[0]!, /200/);
});

test('a node that fails the verification gets no request, and the log has the reason', async (t) => {
  const authority = makeAuthority(t);
  const other = makeAuthority(t);
  const port = await startNode(t, authority.issue('name', ['shop.internal']));
  const unknown = await ask(t, port, { caFile: other.caFile, serverName: 'shop.internal' });
  assert.match(unknown.answers[0]!, /^HTTP\/1\.1 50[234] /);
  assert.match(unknown.warnings[0]!, /unable to verify|signed certificate/);
  const elsewhere = await ask(t, port, { caFile: authority.caFile });
  assert.match(elsewhere.answers[0]!, /^HTTP\/1\.1 50[234] /);
  assert.match(elsewhere.warnings[0]!, /does not match certificate's altnames/);
});

test('the next connection to a node resumes the last session', async (t) => {
  const authority = makeAuthority(t);
  const port = await startNode(t, authority.issue('address', ['127.0.0.1']));
  const { answers } = await ask(t, port, { caFile: authority.caFile }, 3);
  assert.deepEqual(
    answers.map((answer) => answer.slice(answer.lastIndexOf('\n') + 1)),
    ['new', 'again', 'again'],
  );
});

test('a file without a certificate is named', (t) => {
  const { issue } = makeAuthority(t);
  const { key } = issue('one', ['one.example']);
  assert.throws(() => nodeTls({ caFile: key }), /^Error: cannot use .*one\.key: it holds no certificate in PEM form$/);
  assert.throws(() => nodeTls({ caFile: '/nowhere' }), /^Error: cannot use \/nowhere: ENOENT/);
});
