/** TLS of `up`: a port with certificates by name, renewed while it runs, and nodes that speak TLS themselves. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { type Authority, makeAuthority } from '@rollcall/proxy/testing';
import { Site, until } from '../site/site.ts';

interface Seen {
  readonly status: number;
  readonly body: string;
  readonly cookies: readonly string[];
  readonly serial: string;
  readonly isResumed: boolean;
}

function get(port: number, servername: string, { ca }: Authority, agent?: https.Agent): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername, ca, agent: agent ?? false, headers: { host: servername } };
    https
      .get(options, (response) => {
        const socket = response.socket as TLSSocket;
        const serial = socket.getPeerCertificate().serialNumber;
        let body = '';
        response.on('data', (octets: Buffer) => {
          body += octets.toString();
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body,
            cookies: response.headers['set-cookie'] ?? [],
            serial,
            isResumed: socket.isSessionReused(),
          }),
        );
      })
      .on('error', reject);
  });
}

test('two names on one port, a certificate renewed in place, and a Secure cookie', async (t) => {
  const authority = makeAuthority(t);
  const shop = authority.issue('shop', ['shop.example']);
  const blog = authority.issue('blog', ['*.blog.example']);
  const flags = ['--tls', '127.0.0.1:0', '--tls-cert', shop.cert, blog.cert, '--tls-key', shop.key, blog.key];
  const site = await Site.start(t, { flags: [...flags, '--workers', '2'] });
  await site.addNode('first', { balancer: 'shop' }, (request, response) =>
    response.end(`${request.headers['x-forwarded-proto']} ${request.headers.host}`),
  );
  const before = await get(site.tlsPort, 'shop.example', authority);
  assert.deepEqual([before.status, before.body], [200, 'https shop.example']);
  assert.match(before.cookies.join(), /^rc_route_[0-9a-f]{6}=.*; Secure/);
  assert.equal((await get(site.tlsPort, 'eu.blog.example', authority)).status, 200);

  const renewed = authority.issue('renewed', ['shop.example']);
  copyFileSync(renewed.key, shop.key);
  copyFileSync(renewed.cert, shop.cert);
  await until(
    async () => (await get(site.tlsPort, 'shop.example', authority)).serial !== before.serial,
    'the old certificate is still used',
  );
  assert.equal((await site.cli('reload')).code, 0);
  assert.equal((await get(site.tlsPort, 'shop.example', authority)).status, 200);
});

test('TLS sessions are resumed at any worker, also after a reload', async (t) => {
  const authority = makeAuthority(t);
  const { cert, key } = authority.issue('shop', ['shop.example']);
  const flags = ['--tls', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key, '--workers', '2'];
  const site = await Site.start(t, { flags });
  await site.addNode('first', { balancer: 'shop' }, (_, response) => response.end('hello'));
  const agent = new https.Agent({ keepAlive: false });
  t.after(() => agent.destroy());
  const seen = async (): Promise<boolean> => (await get(site.tlsPort, 'shop.example', authority, agent)).isResumed;
  assert.equal(await seen(), false);
  for (let i = 0; i < 10; i++) assert.equal(await seen(), true);
  assert.equal((await site.cli('reload')).code, 0);
  for (let i = 0; i < 10; i++) assert.equal(await seen(), true);
});

async function startTlsNode(
  t: TestContext,
  { cert, key }: { readonly cert: string; readonly key: string },
): Promise<number> {
  const server = https.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, response) =>
    response.end('over TLS'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

test('a node with an https address is verified; one that cannot prove itself gets no request', async (t) => {
  const authority = makeAuthority(t);
  const otherAuthority = makeAuthority(t);
  const site = await Site.start(t, { flags: ['--upstream-ca', authority.caFile] });
  const good = await startTlsNode(t, authority.issue('node', ['127.0.0.1']));
  const bad = await startTlsNode(t, otherAuthority.issue('node', ['127.0.0.1']));
  await site.put('good', { balancer: 'shop', url: `https://127.0.0.1:${good}` });
  await site.put('bad', { balancer: 'shop', url: `https://127.0.0.1:${bad}` });
  for (let i = 0; i < 10; i++) {
    const response = await fetch(`http://127.0.0.1:${site.proxyPort}/`);
    assert.deepEqual([response.status, await response.text()], [200, 'over TLS']);
  }
  await until(() => /cannot open a TLS connection to a node/.test(site.log), 'the log does not have the cause');
  assert.match(site.log, /unable to verify the first certificate|self-signed certificate|signed certificate/);
});

test('contradicting flags are reported', async (t) => {
  const authority = makeAuthority(t);
  const shop = authority.issue('shop', ['shop.example']);
  const other = authority.issue('other', ['other.example']);
  const site = await Site.start(t);
  const refused = async (words: readonly string[], why: RegExp): Promise<void> => {
    const { code, stderr } = await site.bareCli('up', '--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0', ...words);
    assert.equal(code, 2, stderr);
    assert.match(stderr, why);
  };
  await refused(['--tls', '127.0.0.1:0'], /--tls needs as many --tls-key as --tls-cert/);
  await refused(['--tls-cert', shop.cert, '--tls-key', shop.key], /need --tls, the TLS listener/);
  await refused(
    ['--tls', '127.0.0.1:0', '--tls-cert', shop.cert, '--tls-key', other.key],
    /the key in .*other\.key does not belong to the certificate in .*shop\.crt/,
  );
  await refused(['--upstream-ca', '/nowhere'], /--upstream-ca: cannot use \/nowhere: ENOENT/);
  await refused(['--error-page', '503'], /write STATUS=FILE/);
  await refused(['--workers', 'many'], /--workers many is not auto or a number from 1 to 64/);
});
