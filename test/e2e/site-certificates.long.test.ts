/** Files that a restarted process cannot use: it serves as the one before it did, or `status` names it, the cause and the remedy. */
import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { ProcessResource, StatusResource } from '@rollcall/protocol';
import { type Authority, makeAuthority } from '@rollcall/proxy/testing';
import { Site, until } from '../site/site.ts';

/** Time limit of one request, milliseconds. */
const REQUEST_MS = 10_000;

/** Serial number of the certificate of a 200 answer. */
function get(port: number, { ca }: Authority): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: 'shop.example', ca, agent: false, timeout: REQUEST_MS };
    const request = https.get(options, (response) => {
      const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate();
      response.resume();
      if (response.statusCode === 200) response.once('end', () => resolve(serialNumber));
      else reject(new Error(`answered with ${response.statusCode}`));
    });
    request.on('timeout', () => request.destroy(new Error('no answer'))).on('error', reject);
  });
}

async function processes(site: Site): Promise<readonly ProcessResource[]> {
  return (await site.admin<StatusResource>('GET', '/v1/status')).body.processes;
}

/** Kills a process and waits until its successor serves. */
async function kill(site: Site, name: string): Promise<void> {
  const find = async () => (await processes(site)).find((one) => one.name === name)!;
  const { pid, restarts } = await find();
  process.kill(pid!, 'SIGKILL');
  await until(async () => {
    // The control process does not answer during its own restart.
    const found = await find().catch(() => undefined);
    return found?.restarts === restarts + 1 && found.isServing === true;
  }, `${name} does not serve again: ${site.log}`);
}

/** Lines of `status` that name a problem, without those on requests that a killed process had in flight. */
const problems = async (site: Site): Promise<string[]> =>
  (await site.cli('status')).stdout
    .split('\n')
    .filter((line) => line.startsWith('! ') && !line.includes('its requests in flight are lost'))
    .map((line) => line.replace(/^! \S+ \([^)]*\): /, '! '));

for (const workers of [1, 2])
  test(`a worker that restarts with a key of another certificate serves the last good one, workers: ${workers}`, async (t) => {
    const authority = makeAuthority(t);
    const shop = authority.issue('shop', ['shop.example'], { untilUnixMs: Date.now() + 16 * 86_400_000 });
    const renewed = authority.issue('renewed', ['shop.example']);
    const flags = ['--tls', '127.0.0.1:0', '--tls-cert', shop.cert, '--tls-key', shop.key, '--workers', `${workers}`];
    const site = await Site.start(t, { flags });
    await site.addNode('first', { balancer: 'shop' }, (_, response) => response.end('hello'));
    const serial = await get(site.tlsPort, authority);
    assert.deepEqual(await problems(site), []);

    copyFileSync(renewed.key, shop.key);
    const name = workers === 1 ? 'worker' : 'worker 1';
    // Twice: the second one gets the certificate from one that could not read it.
    for (let round = 0; round < 2; round++) await kill(site, name);
    for (let i = 0; i < 10; i++) {
      assert.equal(await get(site.tlsPort, authority), serial);
      assert.equal((await fetch(`http://127.0.0.1:${site.proxyPort}/`)).status, 200);
    }
    const stated = (path: string) =>
      new RegExp(
        `The files of the certificate of the site, ${path}, cannot be used: the key in .*shop\\.key does not belong`,
      );
    await until(
      async () => (await problems(site)).some((line) => stated(shop.cert).test(line)),
      'status lacks the cause',
    );
    assert.match(await site.metrics(), new RegExp(`rollcall_site_certificates_unusable\\{process="${name}"\\} 1`));
    // A reload and a fresh start still refuse.
    const { code, stderr } = await site.cli('reload');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /the key in .*shop\.key does not belong/);

    copyFileSync(renewed.cert, shop.cert);
    await until(async () => !(await problems(site)).some((line) => /cannot be used/.test(line)), 'the problem stays');
    const renewedSerial = await get(site.tlsPort, authority);
    assert.notEqual(renewedSerial, serial);
    const ends = new RegExp(`rollcall_site_certificate_end_timestamp_seconds\\{process="${name}"\\} (\\d+)`);
    const endSeconds = Number(ends.exec(await site.metrics())![1]);
    assert.ok(endSeconds > Date.now() / 1_000 + 19 * 86_400);
  });

test('the control process restarts with the last good certificate', async (t) => {
  const authority = makeAuthority(t);
  const control = authority.issue('control', ['127.0.0.1']);
  const other = authority.issue('other', ['127.0.0.1']);
  const site = await Site.start(t, { flags: ['--control-cert', control.cert, '--control-key', control.key] });
  writeFileSync(control.key, readFileSync(other.key));
  await kill(site, 'control');
  const told =
    /certificate of the control port, .*control\.crt, cannot be used: the key in .* In use by the control process/;
  assert.ok((await problems(site)).some((line) => told.test(line)));
  copyFileSync(other.cert, control.cert);
  await until(async () => !(await problems(site)).some((line) => told.test(line)), 'the problem stays');
});

test('a worker that cannot start is named by status with the cause, until the cause is gone', async (t) => {
  const authority = makeAuthority(t);
  const page = join(authority.directory, 'sorry.html');
  writeFileSync(page, 'sorry');
  const flags = ['--upstream-ca', authority.caFile, '--error-page', `503=${page}`, '--workers', '2'];
  const site = await Site.start(t, { flags });
  await site.addNode('first', { balancer: 'shop' }, (_, response) => response.end('hello'));
  // Not necessary to serve.
  renameSync(page, `${page}.away`);
  await kill(site, 'worker 0');
  assert.deepEqual(await problems(site), []);

  renameSync(authority.caFile, `${authority.caFile}.away`);
  const pidOf = async (name: string) => (await processes(site)).find((one) => one.name === name)!.pid!;
  process.kill(await pidOf('worker 1'), 'SIGKILL');
  const told = (name: string) =>
    new RegExp(
      `^! The process ${name} does not stay up: it ended \\d+ times in a row, the last time with: cannot use .*ca\\.crt: ENOENT`,
    );
  await until(async () => (await problems(site)).some((line) => told('worker 1').test(line)), 'status lacks worker 1');
  assert.ok(!(await problems(site)).some((line) => line.includes('No proxy worker')));

  process.kill(await pidOf('worker 0'), 'SIGKILL');
  await until(async () => (await problems(site)).some((line) => told('worker 0').test(line)), 'status lacks worker 0');
  assert.ok((await problems(site)).includes('! No proxy worker runs. Connections of clients wait until one serves'));

  renameSync(`${authority.caFile}.away`, authority.caFile);
  await until(async () => (await problems(site)).length === 0, 'the problems stay');
  assert.equal((await fetch(`http://127.0.0.1:${site.proxyPort}/`)).status, 200);
});

test('private keys are in no file but those of the operator', async (t) => {
  const authority = makeAuthority(t);
  const shop = authority.issue('shop', ['shop.example']);
  const flags = ['--tls', '127.0.0.1:0', '--tls-cert', shop.cert, '--tls-key', shop.key];
  const site = await Site.start(t, { flags });
  const lines = readFileSync(shop.key, 'utf8').split('\n');
  await kill(site, 'worker');
  const found = readdirSync(site.stateDir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(site.stateDir, name))
    .filter((path) => statSync(path).isFile() && readFileSync(path, 'utf8').includes(lines[1]!));
  assert.deepEqual(found, []);
  assert.ok(!site.log.includes(lines[1]!));
});
