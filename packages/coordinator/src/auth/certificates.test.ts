import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { namesOfCertificate, recordOfCertificate } from './certificates.ts';
import type { TokenRecord } from './tokens.ts';

function certificate(t: TestContext, commonName: string, alternative: readonly string[]): X509Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-names-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const names = alternative.map((name, i) => `${name.replace(':', `.${i} = `)}\n`).join('');
  const config = `[req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n[dn]\nCN = ${commonName}\n[ext]\nsubjectAltName = @names\n[names]\n${names}`;
  writeFileSync(join(directory, 'config'), config);
  const words = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    'key',
  ];
  execFileSync('openssl', [...words, '-config', 'config', '-out', 'cert'], { cwd: directory, stdio: 'pipe' });
  return new X509Certificate(readFileSync(join(directory, 'cert')));
}

test('the names are the common name, then DNS names, then URIs', (t) => {
  const alternative = [
    'URI:spiffe://a/shop',
    'DNS:shop.example',
    'IP:127.0.0.1',
    'email:a@b.example',
    'DNS:two.example',
  ];
  assert.deepEqual(namesOfCertificate(certificate(t, 'shop-1', alternative)), [
    'shop-1',
    'shop.example',
    'two.example',
    'spiffe://a/shop',
  ]);
});

test('a comma in a name does not begin another name', (t) => {
  const names = namesOfCertificate(certificate(t, 'x', ['URI:http://a/, DNS:admin', 'DNS:last.example']));
  assert.equal(names.includes('admin'), false);
  assert.deepEqual(names, ['x', 'last.example']);
});

test('the token is that of the first known name, never of a part of a name', (t) => {
  const shown = certificate(t, 'shop-1', ['DNS:shop.example', 'URI:spiffe://a/shop']);
  const tokens = (...names: string[]) => {
    const byName = new Map(names.map((name) => [name, { name } as TokenRecord]));
    return (name: string) => byName.get(name);
  };
  const found = (...names: string[]) => recordOfCertificate(tokens(...names), shown)?.name;
  assert.equal(found('shop-1'), 'shop-1');
  assert.equal(found('spiffe://a/shop', 'shop.example'), 'shop.example');
  assert.equal(found('shop', 'example', 'DNS:shop.example', ''), undefined);
});
