/** Self-signed certificates for tests, created by the openssl command. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface SelfSigned {
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly keyFile: string;
  readonly certFile: string;
}

/** Creates a certificate for `name`, valid for two days. */
export function selfSigned(t: TestContext, name: string): SelfSigned {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-self-signed-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const about = ['-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  execFileSync('openssl', [...words, ...about, '-keyout', 'key', '-out', 'cert'], { cwd: directory, stdio: 'pipe' });
  const [keyFile, certFile] = [join(directory, 'key'), join(directory, 'cert')];
  return { key: readFileSync(keyFile), cert: readFileSync(certFile), keyFile, certFile };
}
