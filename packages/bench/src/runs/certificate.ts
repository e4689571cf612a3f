import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import type { Certificate } from '../contenders/contender.ts';
import { findProgram } from '../system/programs.ts';
import type { Workplace } from '../system/workplace.ts';

/** Creates a certificate for localhost (P-256, as on most sites); `undefined` without openssl. */
export function makeCertificate(workplace: Workplace): Certificate | undefined {
  const openssl = findProgram('openssl');
  if (openssl === undefined) return undefined;
  const [certFile, keyFile, bothFile] = ['cert.pem', 'key.pem', 'both.pem'].map((name) => workplace.path(name)) as [
    string,
    string,
    string,
  ];
  const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost';
  const { status } = spawnSync(
    openssl,
    [...words.split(' '), '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', certFile],
    { stdio: 'ignore' },
  );
  if (status !== 0) return undefined;
  writeFileSync(bothFile, readFileSync(certFile, 'utf8') + readFileSync(keyFile, 'utf8'));
  // Servers that drop root privileges read the files as another user. The key is valid for localhost and two days only.
  for (const file of [keyFile, bothFile]) chmodSync(file, 0o644);
  return { certFile, keyFile, bothFile };
}
