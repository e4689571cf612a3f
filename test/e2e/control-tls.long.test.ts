/** TLS on the control port and the agents port of `up`: workers, agents and commands connect, certificates are renewed. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import type { StatusResource } from '@rollcall/protocol';
import { makeAuthority } from '@rollcall/proxy/testing';
import { Site, until } from '../site/site.ts';
import { idsOf, protocolCheck } from './protocol-check-report.ts';

const DAY_MS = 86_400_000;
const PROGRAM = "require('node:http').createServer((q, s) => s.end('hello')).listen(process.env.PORT, '127.0.0.1')";

/** The certificate that the port shows. */
function shownBy(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!.serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

function serialIn(file: string): string {
  return new X509Certificate(readFileSync(file)).serialNumber;
}

async function startTlsSite(t: TestContext, days = 20, more: readonly string[] = []) {
  const authority = makeAuthority(t);
  const files = authority.issue('control', ['ops.example'], { untilUnixMs: Date.now() + days * DAY_MS });
  const flags = ['--control-cert', files.cert, '--control-key', files.key, ...more];
  const site = await Site.start(t, { flags });
  return { authority, files, flags, site, port: Number(new URL(site.controlUrl).port) };
}

async function answers(site: Site): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${site.proxyPort}/`);
  return response.status === 200 && (await response.text()) === 'hello';
}

test('workers follow the feed, wrapped programs join and commands work over TLS', async (t) => {
  const docs = mkdtempSync(join(tmpdir(), 'rollcall-docs-'));
  t.after(() => rmSync(docs, { recursive: true }));
  writeFileSync(join(docs, 'page.txt'), 'a page');
  const { site, port } = await startTlsSite(t, 20, ['--static', `/docs=${docs}`]);
  assert.match(site.controlUrl, /^https:/);
  await site.isCurrent();
  const kept = join(site.stateDir, 'control-certificate.pem');
  const program = site.start(['run', '--id', 'n1', '--', process.execPath, '-e', PROGRAM], { ROLLCALL_CA: kept });
  let said = '';
  program.stderr!.on('data', (octets: Buffer) => {
    said += octets.toString();
  });
  await until(async () => (await site.node('n1'))?.liveness === 'up', `the program does not join: ${said}`);
  assert.ok(await answers(site));
  assert.equal(await (await fetch(`http://127.0.0.1:${site.proxyPort}/docs/page.txt`)).text(), 'a page');

  const status = await site.json<StatusResource>('status');
  assert.equal(status.control, site.controlUrl);
  assert.ok(status.controlCertificate!.endsAtUnixMs > Date.now());
  assert.match((await site.cli('status')).stdout, /control certificate .*control\.crt: expires in 1\dd/);
  // The address without a scheme, as in the default of all commands.
  const short = await site.bareCli('nodes', '--coordinator', `localhost:${port}`, '--state-dir', site.stateDir);
  assert.match(short.stdout, /n1/);
  const { code, stderr } = await site.bareCli('nodes', '--coordinator', site.controlUrl);
  assert.equal(code, 3);
  assert.match(stderr, /connected to https:.*, but TLS failed/);
  assert.match(stderr, /certificate not trusted \([A-Z_]+\): set ROLLCALL_CA \(--ca\) to the file of its CA/);
  const health = await site.bareCli('health', '--coordinator', site.controlUrl, '--ca', kept);
  assert.equal(health.stdout, 'ready\n', health.stderr);
  const unusable = await site.bareCli('status', '--coordinator', site.controlUrl, '--ca', '/none');
  assert.deepEqual([unusable.code, unusable.stderr], [2, 'rollcall: cannot read ROLLCALL_CA (--ca) /none: ENOENT\n']);
});

test('protocol-check trusts --ca and ROLLCALL_CA, and reports the problem of the certificate', async (t) => {
  const { site } = await startTlsSite(t);
  const url = site.controlUrl.replace('https', 'wss');
  const { code, stderr } = await site.bareCli('protocol-check', url);
  assert.equal(code, 3);
  assert.match(stderr, /^rollcall: connected to wss:.*, but TLS failed: certificate not trusted .*\(--ca\)/);
  const plain = await site.bareCli('protocol-check', url.replace('wss', 'ws'));
  assert.match(plain.stderr, /^rollcall: connected to ws:.*, but the port speaks TLS: use wss:\/\/\n$/);
  // A token that may not register the nodes of the check ends it after the upgrades.
  const words = ['token', 'create', 'bound', '--role', 'join', '--balancer', 'shop'];
  const { secret } = await site.json<{ secret: string }>(...words);
  const kept = join(site.stateDir, 'control-certificate.pem');
  const token = { ROLLCALL_JOIN_TOKEN: secret };
  const reports = [
    await protocolCheck(site, url, token, '--ca', kept),
    await protocolCheck(site, url, { ...token, ROLLCALL_CA: kept }),
  ];
  for (const { report } of reports) {
    assert.match(idsOf(report, 'passed').join(), /upgrade-accepted: 101/);
    assert.equal(idsOf(report, 'failed').length, 1, idsOf(report, 'failed').join());
  }
});

test('a request without TLS is answered with the scheme to use', async (t) => {
  const { site, port } = await startTlsSite(t);
  const answer = await new Promise<string>((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path: '/livez', agent: false }, (response) => {
        let text = `${response.statusCode} `;
        response.on('data', (octets: Buffer) => {
          text += octets.toString();
        });
        response.on('end', () => resolve(text));
      })
      .on('error', reject);
  });
  assert.match(answer, /^400 Client sent an HTTP request to an HTTPS port: use https:\/\/ or wss:\/\//);
  const { stderr } = await site.bareCli('nodes', '--coordinator', `http://127.0.0.1:${port}`);
  assert.match(stderr, /the port speaks TLS: use https:\/\//);
});

test('a new certificate is used while agents stay connected; an unusable one is not, and is logged', async (t) => {
  const { authority, files, site, port } = await startTlsSite(t);
  const kept = join(site.stateDir, 'control-certificate.pem');
  const program = site.start(['run', '--id', 'n2', '--', process.execPath, '-e', PROGRAM], { ROLLCALL_CA: kept });
  let said = '';
  program.stderr!.on('data', (octets: Buffer) => {
    said += octets.toString();
  });
  await until(async () => (await site.node('n2'))?.liveness === 'up', 'the program does not join');
  const before = await shownBy(port);
  assert.equal(before, serialIn(files.cert));

  writeFileSync(files.cert, 'no certificate');
  await until(() => /cannot reload the certificates/.test(site.log), 'the bad file is not logged');
  assert.equal(await shownBy(port), before);
  const { code, stderr } = await site.cli('reload');
  assert.equal(code, 1);
  assert.match(stderr, /control\.crt holds no certificate in PEM form/);

  const renewed = authority.issue('renewed', ['ops.example']);
  copyFileSync(renewed.key, files.key);
  copyFileSync(renewed.cert, files.cert);
  await until(async () => (await shownBy(port)) === serialIn(renewed.cert), 'the old certificate is still used');
  assert.equal(serialIn(kept), serialIn(renewed.cert));
  assert.equal((await site.cli('reload')).code, 0);
  await site.isCurrent();
  assert.equal((await site.node('n2'))?.liveness, 'up');
  assert.doesNotMatch(said, /lost the coordinator/);
});

test('status, metrics and log report a certificate that ends within 14 days', async (t) => {
  const { site } = await startTlsSite(t, 5);
  assert.match(
    (await site.cli('status')).stdout,
    /^! risk \(certificate, for \S+\): The certificate of the control port, .*, expires at .*, in 4 days/m,
  );
  await until(() => /a certificate expires soon/.test(site.log), 'the log does not warn');
  const metrics = await new Promise<string>((resolve, reject) => {
    const headers = { authorization: `Bearer ${readFileSync(join(site.stateDir, 'admin-token'), 'utf8').trim()}` };
    const options = { headers, rejectUnauthorized: false, agent: false as const };
    https.get(`${site.controlUrl}/metrics`, options, (response) => resolve(text(response))).on('error', reject);
  });
  const [, leftSeconds] = /^rollcall_control_certificate_expiry_seconds (\d+)$/m.exec(metrics) ?? [];
  assert.ok(Number(leftSeconds) > 4 * 86_400 && Number(leftSeconds) <= 5 * 86_400, String(leftSeconds));
  const { stdout } = await site.cli('status', '--json');
  assert.match((JSON.parse(stdout) as StatusResource).advice.join(), /expires at/);
});

test('flags that do not fit together, and a change that needs a new start, are refused', async (t) => {
  const { authority, files, site } = await startTlsSite(t);
  const other = authority.issue('other', ['other.example']);
  const refused = async (words: readonly string[], why: RegExp): Promise<void> => {
    const { code, stderr } = await site.bareCli('up', '--proxy', '127.0.0.1:0', '--control', '127.0.0.1:0', ...words);
    assert.equal(code, 2, stderr);
    assert.match(stderr, why);
  };
  await refused(['--control-cert', files.cert], /needs both --control-cert and --control-key/);
  await refused(['--control-client-ca', authority.caFile], /needs both --control-cert and --control-key/);
  const pair = ['--control-cert', files.cert, '--control-key', files.key];
  await refused([...pair, '--control-client-ca', files.key], /control\.key holds no certificate in PEM form/);
  await refused(
    ['--control-cert', files.cert, '--control-key', other.key],
    /--control-cert: the key in .*other\.key does not belong to the certificate in .*control\.crt/,
  );
  await site.restart([]);
  assert.match(site.controlUrl, /^http:/);
  assert.match((await site.cli('status')).stdout, /control http:/);
});
