/** TLS to a coordinator: trusted authorities and client certificate. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';

/** Paths of PEM files. */
export interface ClientTlsFiles {
  /** Authorities of the coordinator's certificate, or this certificate itself. Default: the authorities that Node.js trusts. */
  readonly ca?: string;
  /** Client certificate, with the chain to its authority. */
  readonly cert?: string;
  /** Private key of the client certificate. */
  readonly key?: string;
}

/** Options of a TLS connection as read from the files; `problem` if a file is unusable. */
export interface ClientTls {
  readonly options?: tls.ConnectionOptions;
  /** Whether a client certificate is configured. */
  readonly hasCertificate: boolean;
  readonly problem?: string;
}

/** Name of each file in messages: the variable, and the command-line flag. */
const LABELS = {
  ca: 'ROLLCALL_CA (--ca)',
  cert: 'ROLLCALL_CLIENT_CERT (--client-cert)',
  key: 'ROLLCALL_CLIENT_KEY (--client-key)',
} as const;

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const NO_FILES: ClientTls = { hasCertificate: false };

/** `given`, else `ROLLCALL_CA`, `ROLLCALL_CLIENT_CERT` and `ROLLCALL_CLIENT_KEY`. An empty text is unset. */
export function clientTlsFiles(
  given: ClientTlsFiles,
  environment: Readonly<Record<string, string | undefined>>,
): ClientTlsFiles {
  const ca = given.ca || environment['ROLLCALL_CA'];
  // Both files are from one source: a key of the environment does not match a certificate of the options.
  const hasPair = Boolean(given.cert || given.key);
  const cert = hasPair ? given.cert : environment['ROLLCALL_CLIENT_CERT'];
  const key = hasPair ? given.key : environment['ROLLCALL_CLIENT_KEY'];
  return { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
}

/**
 * Reads the files. Called for each connection, so that renewed files are used. Never throws.
 *
 * With `ca` no other authority is trusted. A certificate in the CA file itself needs no issuer. On a loopback host its name
 * is not verified, because it need not contain a name of this machine.
 */
export function readClientTls(files: ClientTlsFiles): ClientTls {
  const { ca, cert, key } = files;
  if (ca === undefined && cert === undefined && key === undefined) return NO_FILES;
  const hasCertificate = cert !== undefined;
  try {
    if (hasCertificate !== (key !== undefined))
      throw new Error(hasCertificate ? `${LABELS.cert} needs ${LABELS.key}` : `${LABELS.key} needs ${LABELS.cert}`);
    const caText = ca === undefined ? undefined : certificatesIn('ca', ca);
    const certText = cert === undefined ? undefined : certificatesIn('cert', cert);
    const keyText = key === undefined ? undefined : textOf('key', key);
    const secureContext = contextOf(files, {
      ...(caText === undefined ? {} : { ca: caText, allowPartialTrustChain: true }),
      ...(certText === undefined || keyText === undefined ? {} : { cert: certText, key: keyText }),
      minVersion: 'TLSv1.2',
    });
    return { options: { secureContext, checkServerIdentity: identityCheck(caText ?? '') }, hasCertificate };
  } catch (error) {
    return { hasCertificate, problem: error instanceof Error ? error.message : String(error) };
  }
}

function textOf(name: keyof typeof LABELS, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`cannot read ${LABELS[name]} ${path}: ${code ?? message}`);
  }
}

/** Returns the content of a file with at least one certificate. Throws if there is none, or if one cannot be parsed. */
function certificatesIn(name: 'ca' | 'cert', path: string): string {
  const text = textOf(name, path);
  try {
    const texts = text.match(PEM) ?? [];
    if (texts.length === 0) throw new Error('no certificate');
    for (const each of texts) new X509Certificate(each);
    return text;
  } catch {
    throw new Error(`${LABELS[name]} ${path} contains no certificate in PEM form`);
  }
}

function contextOf({ cert, key }: ClientTlsFiles, options: tls.SecureContextOptions): tls.SecureContext {
  try {
    return tls.createSecureContext(options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH')
      throw new Error(`the key in ${LABELS.key} ${key} does not belong to the certificate in ${LABELS.cert} ${cert}`);
    throw new Error(`cannot use ${LABELS.key} ${key}: ${message}`);
  }
}

function identityCheck(ca: string): NonNullable<tls.ConnectionOptions['checkServerIdentity']> {
  const known = (ca.match(PEM) ?? []).map((text) => new X509Certificate(text).raw);
  return (host, certificate) => {
    if (isLoopback(host) && known.some((raw) => raw.equals(certificate.raw))) return undefined;
    return tls.checkServerIdentity(host, certificate);
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
