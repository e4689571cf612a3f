/**
 * A copy of the control port's certificate in the state directory of `up`. Commands, wrappers and workers of the same user on
 * the same machine trust this certificate.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Path of the copy in a state directory. */
export function controlCertificatePath(stateDir: string): string {
  return join(stateDir, 'control-certificate.pem');
}

/** Path of the copy; `undefined` if there is none. */
export function keptControlCertificate(stateDir: string): string | undefined {
  const path = controlCertificatePath(stateDir);
  return existsSync(path) ? path : undefined;
}

/** Replaces the copy by the first certificate in `pem`. Throws the system's error. */
export function keepControlCertificate(stateDir: string, pem: string): void {
  const path = controlCertificatePath(stateDir);
  const draft = `${path}.tmp`;
  writeFileSync(draft, new X509Certificate(pem).toString(), { mode: 0o600 });
  renameSync(draft, path);
}

/** The control port does not speak TLS: a copy of an earlier start must not make commands expect it. */
export function dropControlCertificate(stateDir: string): void {
  try {
    rmSync(controlCertificatePath(stateDir), { force: true });
  } catch {
    // The copy stays in a read-only directory; commands then report that the port does not speak TLS.
  }
}
