/** `up --mcmp-advertise`: nodes of mod_cluster receive the address of the MCMP listener by multicast, in a network of the test. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { missingForSandbox, startSandboxed } from '../faults/sandbox.ts';
import type { Advertised } from './advertised-up.ts';

const missing = missingForSandbox();

test('datagrams go out by the named interface, each 10 s, and the last ones announce the end', {
  timeout: 120_000,
  ...(missing !== undefined && { skip: missing }),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-advertised-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const script = startSandboxed('../e2e/advertised-up.ts', [folder]);
  t.after(() => script.close());
  const { code, stdout, stderr } = await script.ended;
  assert.equal(code, 0, stderr);
  const { datagrams, from, answer } = JSON.parse(stdout) as Advertised;
  assert.equal(from, '10.77.0.1');
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*State=OK/);
  assert.deepEqual(
    datagrams.map((text) => text.slice(0, text.indexOf('\r\n'))),
    ['HTTP/1.0 200 OK', 'HTTP/1.0 200 OK', 'HTTP/1.0 403 Forbidden', 'HTTP/1.0 410 Gone'],
  );
  const salt = createHash('md5').update('secret').digest();
  for (const [i, text] of datagrams.entries()) {
    const [, date, sequence, digest, server] =
      /\r\nDate: (.*)\r\nSequence: (.*)\r\nDigest: (.*)\r\nServer: (.*)\r\n/.exec(text)!;
    assert.equal(Number(sequence), i + 1);
    assert.equal(digest, createHash('md5').update(salt).update(`${date}${sequence}${server}`).digest('hex'));
    const place = /X-Manager-Address: (.*)\r\nX-Manager-Url: \/.*\r\nX-Manager-Protocol: (.*)\r\n/.exec(text);
    assert.deepEqual(place?.slice(1), i < 2 ? ['10.77.0.1:6666', 'http'] : undefined);
  }
});
