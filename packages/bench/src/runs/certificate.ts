import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import type { Certificate } from '../contenders/contender.ts';
import { findProgram } from '../system/programs.ts';
import type { Workplace } from '../system/workplace.ts';

/** Makes a certificate for the loopback (P-256, as most sites have); `undefined` without openssl. */
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
  // Servers that give up root read them as somebody else; they are for two days of the loopback.
  for (const file of [keyFile, bothFile]) chmodSync(file, 0o644);
  return { certFile, keyFile, bothFile };
}
