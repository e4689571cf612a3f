/** Advice on certificates of the coordinator and of the site: files that cannot be used, and the end of a certificate. */

/** Listener of a certificate, for sentences. */
export interface CertificateUse {
  readonly of: string;
  /** Connections that fail after the end of the certificate. */
  readonly clients: string;
}

export const CONTROL_CERTIFICATE: CertificateUse = { of: 'the control port', clients: 'agents and commands' };
export const SITE_CERTIFICATE: CertificateUse = { of: 'the site', clients: 'clients' };

/** A certificate that expires within this time is reported, milliseconds. */
const SOON_MS = 14 * 86_400_000;

interface Certificate {
  readonly path: string;
  readonly endsAtUnixMs: number;
}

/** A sentence about a certificate that has expired, or expires within 14 days. */
export function endAdvice(
  { of, clients }: CertificateUse,
  { path, endsAtUnixMs }: Certificate,
  nowUnixMs: number,
): string | undefined {
  const leftMs = endsAtUnixMs - nowUnixMs;
  if (leftMs >= SOON_MS) return undefined;
  const at = new Date(endsAtUnixMs).toISOString();
  if (leftMs < 0)
    return `The certificate of ${of}, ${path}, expired at ${at}: new connections of ${clients} fail. Replace the file; it is read within seconds.`;
  return `The certificate of ${of}, ${path}, expires at ${at}, in ${Math.floor(leftMs / 86_400_000)} days. Replace the file; it is read within seconds.`;
}

/** A sentence about files that cannot be used. `users`: the processes that use the earlier certificate. */
export function problemAdvice(
  { of }: CertificateUse,
  { path, endsAtUnixMs }: Certificate,
  problem: string,
  users: string,
): string {
  return `The files of the certificate of ${of}, ${path}, cannot be used: ${problem}. In use by ${users} is the certificate read before, which ends at ${new Date(endsAtUnixMs).toISOString()}. Repair the files; they are read within seconds.`;
}
