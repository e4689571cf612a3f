/** The certificates of the TLS port: the certificate for each server name, and new ones without a restart. */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, type Stats, unwatchFile, watchFile } from 'node:fs';
import tls from 'node:tls';

/** A certificate chain and its key, both PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface CertificatesLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Time between two checks of the files, milliseconds. */
const LOOK_MS = 2_000;
/** A warning is logged for a certificate that ends sooner, milliseconds. */
const SOON_MS = 14 * 86_400_000;

/** One certificate, read and checked. */
interface Loaded {
  readonly names: readonly string[];
  /** In the format of the certificate. */
  readonly validTo: string;
  readonly pem: string;
  readonly options: tls.SecureContextOptions;
  readonly context: tls.SecureContext;
  readonly fingerprint: string;
}

export interface CertificatesOptions {
  /** The first one is the default certificate. */
  readonly files: readonly CertificateFiles[];
  /** Session tickets are sealed with these 48 octets: workers that share them resume each other's sessions. */
  readonly ticketKeys: Buffer;
  /** PEM file of the CAs of client certificates. Default: no client certificates are requested. */
  readonly clientCa?: string;
  readonly log: CertificatesLog;
  readonly nowUnixMs: () => number;
  /** Default 2,000. */
  readonly lookMs?: number;
}

/** Throws an error that names the file and the reason if one of `files`, or `clientCa`, cannot be used. */
export function checkCertificates(files: readonly CertificateFiles[], clientCa?: string): void {
  for (const { cert, key } of files) load({ cert, key }, undefined, clientCa);
}

export class Certificates {
  /** Called after a change of the certificates. */
  onChange: () => void = () => {};
  readonly #options: CertificatesOptions;
  #loaded: readonly Loaded[] = [];
  #byName = new Map<string, tls.SecureContext>();
  readonly #onLook = (now: Stats, before: Stats): void => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) this.readAgain();
  };

  /** Throws an error that names the file and the reason if one cannot be used. */
  constructor(options: CertificatesOptions) {
    this.#options = options;
    this.#use(options.files.map((files) => this.#load(files)));
    for (const path of this.#paths())
      watchFile(path, { persistent: false, interval: options.lookMs ?? LOOK_MS }, this.#onLook);
  }

  /** The certificate for `serverName`: an exact name, then a wildcard for its domain, then the first certificate. */
  contextFor(serverName: string): tls.SecureContext {
    const name = serverName.toLowerCase();
    const dot = name.indexOf('.');
    return (
      this.#byName.get(name) ??
      (dot < 0 ? undefined : this.#byName.get(`*${name.slice(dot)}`)) ??
      this.#loaded[0]!.context
    );
  }

  /** The default certificate. */
  get first(): tls.SecureContextOptions {
    return this.#loaded[0]!.options;
  }

  /** The default certificate as PEM text with its chain. */
  get firstPem(): string {
    return this.#loaded[0]!.pem;
  }

  /** End of that certificate, Unix time in milliseconds. */
  get firstEndsAtUnixMs(): number {
    return Date.parse(this.#loaded[0]!.validTo);
  }

  /** Reads all files again. If one cannot be used nothing changes: certificate and key are rarely replaced at the same time. */
  readAgain(): void {
    const { log, files } = this.#options;
    try {
      const loaded = files.map((one) => this.#load(one));
      const isNew = loaded.some(({ fingerprint }, i) => fingerprint !== this.#loaded[i]?.fingerprint);
      if (!isNew) return;
      this.#use(loaded);
      this.onChange();
      log.info({ names: loaded.flatMap(({ names }) => names) }, 'certificates reloaded');
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'cannot reload the certificates; keeping the present ones');
    }
  }

  close(): void {
    for (const path of this.#paths()) unwatchFile(path, this.#onLook);
  }

  #paths(): readonly string[] {
    const { files, clientCa } = this.#options;
    return [...files.flatMap(({ cert, key }) => [cert, key]), ...(clientCa === undefined ? [] : [clientCa])];
  }

  #use(loaded: readonly Loaded[]): void {
    const byName = new Map<string, tls.SecureContext>();
    for (const { names, context } of loaded) for (const name of names) if (!byName.has(name)) byName.set(name, context);
    this.#loaded = loaded;
    this.#byName = byName;
  }

  #load(files: CertificateFiles): Loaded {
    const { ticketKeys, clientCa, log, nowUnixMs } = this.#options;
    const loaded = load(files, ticketKeys, clientCa);
    const leftMs = Date.parse(loaded.validTo) - nowUnixMs();
    if (leftMs < SOON_MS)
      log.warn(
        { path: files.cert, validTo: loaded.validTo },
        leftMs < 0 ? 'a certificate has expired' : 'a certificate expires soon',
      );
    return loaded;
  }
}

function load(
  { cert: certPath, key: keyPath }: CertificateFiles,
  ticketKeys: Buffer | undefined,
  clientCa: string | undefined,
): Loaded {
  const cert = readPem(certPath);
  const key = readPem(keyPath);
  const leaf = parsed(cert, certPath);
  const ca = clientCa === undefined ? undefined : readPem(clientCa);
  if (ca !== undefined) parsed(ca, clientCa!);
  const options = {
    cert,
    key,
    ...(ca !== undefined && { ca }),
    ...(ticketKeys && { ticketKeys }),
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
  } as const;
  const context = secureContext(options, certPath, keyPath);
  const fingerprint = createHash('sha256')
    .update(cert)
    .update(key)
    .update(ca ?? '')
    .digest('base64');
  return { names: namesOf(leaf), validTo: leaf.validTo, pem: cert, options, context, fingerprint };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
  }
}

function parsed(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new Error(`${path} holds no certificate in PEM form`);
  }
}

function secureContext(options: tls.SecureContextOptions, certPath: string, keyPath: string): tls.SecureContext {
  try {
    return tls.createSecureContext(options);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH';
    throw new Error(
      why
        ? `the key in ${keyPath} does not belong to the certificate in ${certPath}`
        : `${certPath} with ${keyPath}: ${(error as Error).message}`,
    );
  }
}

/** Names of a certificate, lower case: `subjectAltName` (RFC 6125 §6.4.4), otherwise the common name. */
function namesOf(certificate: X509Certificate): readonly string[] {
  const alternative = [...(certificate.subjectAltName ?? '').matchAll(/DNS:([^,\s]+)/g)].map(([, name]) => name!);
  const common = /^CN=(\S+)$/m.exec(certificate.subject)?.[1];
  const names = alternative.length > 0 ? alternative : common === undefined ? [] : [common];
  return names.map((name) => name.toLowerCase());
}
