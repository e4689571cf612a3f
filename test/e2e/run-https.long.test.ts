/** Programs that speak https: wrapped by `run --https` or joined by their https address, and served to clients. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Site, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';

/** A key and a certificate for 127.0.0.1 that no authority has signed. */
function certificate(t: TestContext): { readonly key: string; readonly cert: string } {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-https-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...name, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key, cert };
}

test('a program that speaks https is served by run --https and by join; it gets no token', async (t) => {
  const { key, cert } = certificate(t);
  const program = `const fs = require('node:fs');
    const tls = { key: fs.readFileSync(${JSON.stringify(key)}), cert: fs.readFileSync(${JSON.stringify(cert)}) };
    require('node:https').createServer(tls, (q, a) => a.end('token ' + process.env.ROLLCALL_JOIN_TOKEN)).listen(
      process.env.PORT ?? 0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const environment = { ROLLCALL_JOIN_TOKEN: 'not-for-the-program' };
  const site = await Site.start(t, { flags: ['--upstream-ca', cert], environment });
  const run = ['run', '--https', '--id', 'a', '--balancer', 'a', '--host', 'a.test', '--ready', '/'];
  site.start([...run, '--', process.execPath, '-e', program], environment);
  const alone = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => alone.kill());
  const [port] = (await once(alone.stdout, 'data')) as [Buffer];
  const url = `https://127.0.0.1:${String(port).trim()}`;
  site.start(['join', url, '--id', 'b', '--balancer', 'b', '--host', 'b.test', '--ready', '/'], environment);
  for (const id of ['a', 'b']) {
    await until(async () => (await site.node(id))?.liveness === 'up', `${id} is not up`);
    await site.isCurrent();
    assert.match((await site.node(id))!.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const answer = await new Visitor(site.proxyPort, { host: `${id}.test` }).get('/');
    assert.deepEqual([answer.status, answer.body], [200, 'token undefined']);
  }
});

test('explain names a node whose certificate is not accepted, with the cause and the flags', async (t) => {
  const { key, cert } = certificate(t);
  const program = `const fs = require('node:fs');
    const tls = { key: fs.readFileSync(${JSON.stringify(key)}), cert: fs.readFileSync(${JSON.stringify(cert)}) };
    require('node:https').createServer(tls, (q, a) => a.end('hello')).listen(process.env.PORT, '127.0.0.1');`;
  const site = await Site.start(t);
  site.start(['run', '--https', '--id', 'a', '--', process.execPath, '-e', program]);
  await until(async () => (await site.node('a'))?.liveness === 'up', 'a is not up');
  await site.isCurrent();
  const abort = new AbortController();
  t.after(() => abort.abort());
  fetch(`http://127.0.0.1:${site.proxyPort}/`, { signal: abort.signal }).catch(() => undefined);
  let said = '';
  await until(async () => {
    said = (await site.cli('explain', '--url', 'http://site.test/')).stdout;
    return /no TLS connection to a \(DEPTH_ZERO_SELF_SIGNED_CERT\).*--upstream-ca FILE/.test(said);
  }, 'explain does not name the cause').catch((error: Error) => assert.fail(`${error.message}: ${said}`));
});
