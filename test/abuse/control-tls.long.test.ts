/** Invalid certificates of the control port and of its clients: each is refused, and the error has the cause. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AGENT_PATH, AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import type { CertificateFiles } from '@rollcall/proxy';
import { makeAuthority } from '@rollcall/proxy/testing';
import { Site, until } from '../site/site.ts';

const DAY_MS = 86_400_000;
const PROGRAM = "require('node:http').createServer((q, s) => s.end('hello')).listen(process.env.PORT, '127.0.0.1')";

interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Asking {
  readonly certificate?: CertificateFiles;
  readonly token?: string;
  readonly method?: string;
}

/** One request, to the path of agents an upgrade. The server's certificate is not compared. */
function ask(base: string, path: string, { certificate, token, method = 'GET' }: Asking = {}): Promise<Answer> {
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    'sec-websocket-protocol': AGENT_SUBPROTOCOL,
  };
  return new Promise((resolve, reject) => {
    const options = {
      method,
      agent: false as const,
      rejectUnauthorized: false,
      headers: {
        ...(path === AGENT_PATH ? upgrade : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(method === 'GET' ? {} : { 'content-type': 'application/json', 'content-length': '2' }),
      },
      ...(certificate && { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) }),
    };
    const request = https.request(base + path, options, (response) => {
      let body = '';
      response.on('data', (octets: Buffer) => {
        body += octets.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('upgrade', (_, socket) => {
      socket.destroy();
      resolve({ status: 101, body: '' });
    });
    request.on('error', reject).end(method === 'GET' ? undefined : '{}');
  });
}

test('C52: agents and commands refuse an expired, early, foreign or unknown certificate and name the cause', async (t) => {
  const authority = makeAuthority(t);
  const now = Date.now();
  const files = authority.issue('control', ['127.0.0.1']);
  const site = await Site.start(t, { flags: ['--control-cert', files.cert, '--control-key', files.key] });
  const trusting = ['--coordinator', site.controlUrl, '--ca', authority.caFile];
  assert.equal((await site.bareCli('health', ...trusting)).stdout, 'ready\n');
  const bad = [
    [
      authority.issue('expired', ['127.0.0.1'], { fromUnixMs: now - 9 * DAY_MS, untilUnixMs: now - DAY_MS }),
      /certificate expired \(CERT_HAS_EXPIRED\): renew it/,
    ],
    [
      authority.issue('early', ['127.0.0.1'], { fromUnixMs: now + DAY_MS }),
      /certificate not valid yet \(CERT_NOT_YET_VALID\)/,
    ],
    [authority.issue('other', ['ops.example']), /certificate is not for 127\.0\.0\.1 but for DNS:ops\.example/],
    [makeAuthority(t).issue('unknown', ['127.0.0.1']), /certificate not trusted \([A-Z_]+\): set ROLLCALL_CA \(--ca\)/],
  ] as const;
  for (const [certificate, cause] of bad) {
    copyFileSync(certificate.key, files.key);
    copyFileSync(certificate.cert, files.cert);
    site.signalUp('SIGHUP');
    let said = '';
    await until(async () => {
      const { code, stderr } = await site.bareCli('nodes', ...trusting);
      said = stderr;
      return code === 3 && cause.test(stderr);
    }, `${cause} is not reported`).catch((error: Error) => assert.fail(`${error.message}: ${said}`));
    const program = site.start(['run', ...trusting, '--', process.execPath, '-e', PROGRAM]);
    let log = '';
    program.stderr!.on('data', (octets: Buffer) => {
      log += octets.toString();
    });
    await until(() => cause.test(log), `run does not name ${cause}: ${log}`);
    program.kill('SIGKILL');
    // The workers of the site compare the certificate itself: a bad date or name does not end their feed.
    await site.isCurrent();
  }
});

/** A site with a CA for clients, and tokens that certificates count as. */
async function startSiteWithClients(t: TestContext) {
  const authority = makeAuthority(t);
  const server = authority.issue('control', ['127.0.0.1']);
  const flags = ['--control-cert', server.cert, '--control-key', server.key, '--control-client-ca', authority.caFile];
  const site = await Site.start(t, { flags, environment: { ROLLCALL_JOIN_TOKEN: 'a-join-token-of-the-test' } });
  const path = join(site.stateDir, 'tokens.json');
  const file = JSON.parse(readFileSync(path, 'utf8')) as { tokens: object[] };
  const record = (name: string, role: string, certificate: string): object => ({
    name,
    role,
    certificate,
    sha256: createHash('sha256').update(randomBytes(32)).digest('hex'),
  });
  file.tokens.push(record('shop', 'join', 'shop-1'), record('watcher', 'viewer', 'spiffe://test/watcher'));
  writeFileSync(path, JSON.stringify(file));
  await site.restart();
  return { authority, site };
}

test('C53: a client certificate allows what the token that names it allows, and nothing else', async (t) => {
  const { authority, site } = await startSiteWithClients(t);
  const shop = authority.issue('shop', ['shop.example'], { commonName: 'shop-1' });
  const watcher = authority.issue('watcher', ['spiffe://test/watcher'], { commonName: 'viewer-1' });
  const joined = await ask(site.controlUrl, AGENT_PATH, { certificate: shop });
  assert.equal(joined.status, 101, joined.body);
  assert.equal((await ask(site.controlUrl, '/v1/status', { certificate: watcher })).status, 200);

  const refused = async (path: string, asking: Asking, status: number, why: RegExp): Promise<void> => {
    const answer = await ask(site.controlUrl, path, asking);
    assert.equal(answer.status, status, answer.body);
    assert.match((JSON.parse(answer.body) as { detail: string }).detail, why);
  };
  await refused('/v1/status', { certificate: shop }, 403, /token shop has the role join; this needs viewer/);
  await refused(AGENT_PATH, { certificate: watcher }, 403, /token watcher has the role viewer; this needs join/);
  await refused('/v1/nodes/n1/drain', { certificate: watcher, method: 'POST' }, 403, /watcher has the role viewer/);
  const unknown = authority.issue('unknown', ['wiki.example'], { commonName: 'wiki-1' });
  await refused(
    AGENT_PATH,
    { certificate: unknown },
    401,
    /no token names the client certificate CN=wiki-1; its names are wiki-1, wiki\.example/,
  );
  await refused('/v1/status', { certificate: unknown }, 401, /no token names the client certificate CN=wiki-1/);
  await refused(AGENT_PATH, {}, 401, /token is missing|needs a token/);
  const flags = ['--ca', authority.caFile, '--client-cert', shop.cert, '--client-key', shop.key, '--id', 'n1'];
  const program = site.start(['run', ...flags, '--', process.execPath, '-e', PROGRAM]);
  let log = '';
  program.stderr!.on('data', (octets: Buffer) => {
    log += octets.toString();
  });
  await until(async () => (await site.node('n1'))?.liveness === 'up', 'run does not join with its certificate').catch(
    (error: Error) => assert.fail(`${error.message}: ${log}`),
  );
  // A token decides alone: the certificate adds no rights and takes none.
  const token = readFileSync(join(site.stateDir, 'admin-token'), 'utf8').trim();
  assert.equal((await ask(site.controlUrl, '/v1/status', { certificate: shop, token })).status, 200);
});

test('C52: a client certificate that is expired, early or of another authority is refused by name', async (t) => {
  const { authority, site } = await startSiteWithClients(t);
  const now = Date.now();
  const commonName = 'shop-1';
  const bad = [
    [
      authority.issue('old', ['a'], { commonName, fromUnixMs: now - 9 * DAY_MS, untilUnixMs: now - DAY_MS }),
      'CERT_HAS_EXPIRED',
    ],
    [authority.issue('early', ['a'], { commonName, fromUnixMs: now + DAY_MS }), 'CERT_NOT_YET_VALID'],
    [makeAuthority(t).issue('other', ['a'], { commonName }), 'UNABLE_TO_[A-Z_]+'],
  ] as const;
  for (const [certificate, code] of bad) {
    for (const path of [AGENT_PATH, '/v1/status']) {
      const { status, body } = await ask(site.controlUrl, path, { certificate });
      assert.equal(status, 401, body);
      assert.match(body, new RegExp(`the client certificate CN=shop-1 is not accepted \\(${code}\\)`));
    }
  }
  const flags = ['--ca', join(site.stateDir, 'control-certificate.pem'), '--client-cert', bad[0][0].cert];
  const program = site.start(['run', ...flags, '--client-key', bad[0][0].key, '--', process.execPath, '-e', PROGRAM]);
  let log = '';
  program.stderr!.on('data', (octets: Buffer) => {
    log += octets.toString();
  });
  await until(() => /client certificate refused \(HTTP 401.*CERT_HAS_EXPIRED/.test(log), 'run does not name the cause');
});
