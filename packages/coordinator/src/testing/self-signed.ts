/** A self-signed certificate made by the openssl command. For tests. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** Returns a certificate for the common name `name`, valid for `days`. */
export function selfSigned(
  t: TestContext,
  name: string,
  days: number,
): { readonly key: Buffer; readonly cert: Buffer } {
  const directory = mkdtempSync(join(tmpdir(), 'rollcall-self-signed-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const about = ['-days', String(days), '-subj', `/CN=${name}`, '-keyout', 'key', '-out', 'cert'];
  execFileSync('openssl', [...words, ...about], { cwd: directory, stdio: 'pipe' });
  return { key: readFileSync(join(directory, 'key')), cert: readFileSync(join(directory, 'cert')) };
}
