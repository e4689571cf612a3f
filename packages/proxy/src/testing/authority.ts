/** Certificates for tests, made by the openssl command. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { CertificateFiles } from '../tls/certificates.ts';

export interface Authority {
  /** PEM file with the authority's own certificate. */
  readonly caFile: string;
  /** Its content. */
  readonly ca: string;
  readonly directory: string;
  /** Signs a certificate for `names` (DNS names or IP addresses) and writes it and its key to files called `file`. */
  issue(file: string, names: readonly string[]): CertificateFiles;
}

export function makeAuthority(t: TestContext): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-tls-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const openssl = (...words: readonly string[]): void => {
    execFileSync('openssl', words, { cwd: directory, stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '30',
    '-subj',
    '/CN=Test Authority',
  );
  const caFile = join(directory, 'ca.crt');
  return {
    caFile,
    ca: readFileSync(caFile, 'utf8'),
    directory,
    issue(file, names) {
      const alternative = names.map((name) => `${/^[\d.]+$/.test(name) ? 'IP' : 'DNS'}:${name}`).join(',');
      writeFileSync(join(directory, `${file}.ext`), `subjectAltName=${alternative}\n`);
      openssl('req', ...newKey, '-keyout', `${file}.key`, '-out', `${file}.csr`, '-subj', `/CN=${names[0]}`);
      const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '20', '-extfile', `${file}.ext`];
      openssl('x509', '-req', '-in', `${file}.csr`, '-out', `${file}.crt`, ...signed);
      return { cert: join(directory, `${file}.crt`), key: join(directory, `${file}.key`) };
    },
  };
}
