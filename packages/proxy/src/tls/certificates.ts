/** The certificates of the TLS port: the certificate for each server name, and new ones without a restart. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import tls from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { CertificateResource } from '@rollcall/protocol';

/** A certificate chain and its key, both PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** Content of a usable pair of files, with the private key. A later process uses it if it cannot use the files themselves. */
export interface KeptCertificate {
  readonly files: CertificateFiles;
  readonly cert: string;
  readonly key: string;
  /** Content of the file of CAs of client certificates. */
  readonly ca?: string;
}

/** Certificates after a change. */
export interface CertificatesReport {
  readonly inUse: readonly CertificateResource[];
  readonly kept: readonly KeptCertificate[];
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
  readonly content: KeptCertificate;
  readonly options: tls.SecureContextOptions;
  readonly context: tls.SecureContext;
}

/** The certificate in use for one pair of files. */
interface Pair {
  readonly files: CertificateFiles;
  readonly loaded: Loaded;
  /** Why the present files cannot be used. */
  readonly problem: string | undefined;
}

export interface CertificatesOptions {
  /** The first one is the default certificate. */
  readonly files: readonly CertificateFiles[];
  /** Used at the start in place of files that cannot be used. Default: the constructor throws. */
  readonly kept?: readonly KeptCertificate[];
  /** Session tickets are sealed with these 48 octets: workers that share them resume each other's sessions. */
  readonly ticketKeys: Buffer;
  /** PEM file of the CAs of client certificates. Default: no client certificates are requested. */
  readonly clientCa?: string;
  /** Called in the constructor, and after each change of the certificates or of their problems. */
  readonly onReport?: (report: CertificatesReport) => void;
  readonly log: CertificatesLog;
  readonly nowUnixMs: () => number;
  /** Default 2,000. */
  readonly lookMs?: number;
}

/** Throws an error that names the file and the reason if one of `files`, or `clientCa`, cannot be used. */
export function checkCertificates(files: readonly CertificateFiles[], clientCa?: string): void {
  for (const { cert, key } of files) load(contentOf({ cert, key }, clientCa), undefined, clientCa);
}

export class Certificates {
  /** Called after a change of the certificates. */
  onChange: () => void = () => {};
  readonly #options: CertificatesOptions;
  #pairs: readonly Pair[] = [];
  #byName = new Map<string, tls.SecureContext>();
  /** State of the files before they were last read, so that no change between two reads is missed. */
  #states: string;
  #look: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Throws an error that names the file and the reason if one cannot be used and is not in `kept`. */
  constructor(options: CertificatesOptions) {
    this.#options = options;
    this.#states = this.#paths().map(stateNow).join();
    this.#use(options.files.map((files) => this.#firstPair(files)));
    this.#lookLater();
  }

  /** The certificate for `serverName`: an exact name, then a wildcard for its domain, then the first certificate. */
  contextFor(serverName: string): tls.SecureContext {
    const name = serverName.toLowerCase();
    const dot = name.indexOf('.');
    return (
      this.#byName.get(name) ??
      (dot < 0 ? undefined : this.#byName.get(`*${name.slice(dot)}`)) ??
      this.#first.loaded.context
    );
  }

  get #first(): Pair {
    return this.#pairs[0]!;
  }

  /** The default certificate. */
  get first(): tls.SecureContextOptions {
    return this.#first.loaded.options;
  }

  /** The default certificate as PEM text with its chain. */
  get firstPem(): string {
    return this.#first.loaded.content.cert;
  }

  /** End of that certificate, Unix time in milliseconds. */
  get firstEndsAtUnixMs(): number {
    return Date.parse(this.#first.loaded.validTo);
  }

  /** Why the present files of that certificate cannot be used; an earlier one is in use. */
  get firstProblem(): string | undefined {
    return this.#first.problem;
  }

  /**
   * Reads all files again. For a pair that cannot be used nothing changes: certificate and key are rarely replaced at the same
   * time. The other pairs are used.
   */
  readAgain(): void {
    const before = this.#pairs;
    const pairs = before.map(({ files, loaded }) => this.#pair(files, loaded));
    const isNew = pairs.some(({ loaded }, i) => loaded !== before[i]!.loaded);
    if (!isNew && pairs.every(({ problem }, i) => problem === before[i]!.problem)) return;
    this.#use(pairs);
    if (isNew) {
      this.onChange();
      this.#options.log.info({ names: pairs.flatMap(({ loaded }) => loaded.names) }, 'certificates reloaded');
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#look);
  }

  #lookLater(): void {
    if (!this.#isClosed) this.#look = setTimeout(() => void this.#lookNow(), this.#options.lookMs ?? LOOK_MS).unref();
  }

  /** Files that cannot be used are read again in any case: the reason may be another than the files. */
  async #lookNow(): Promise<void> {
    const states = (await Promise.all(this.#paths().map((path) => stat(path).then(stateOf, absent)))).join();
    if (this.#isClosed) return;
    const hasProblem = this.#pairs.some(({ problem }) => problem !== undefined);
    if (states !== this.#states || hasProblem) {
      this.#states = states;
      this.readAgain();
    }
    this.#lookLater();
  }

  #paths(): readonly string[] {
    const { files, clientCa } = this.#options;
    return [...files.flatMap(({ cert, key }) => [cert, key]), ...(clientCa === undefined ? [] : [clientCa])];
  }

  /** Reads one pair at the start. If it cannot be used, the kept one is. */
  #firstPair(files: CertificateFiles): Pair {
    const { kept = [], ticketKeys, clientCa } = this.#options;
    try {
      return this.#pair(files, undefined);
    } catch (error) {
      const last = kept.find((one) => one.files.cert === files.cert && one.files.key === files.key);
      if (last === undefined) throw error;
      return { files, loaded: load(last, ticketKeys, clientCa), problem: (error as Error).message };
    }
  }

  /** Reads one pair. If it cannot be used, `last` stays in use; without `last`, throws the reason. */
  #pair(files: CertificateFiles, last: Loaded | undefined): Pair {
    const { ticketKeys, clientCa } = this.#options;
    try {
      const content = contentOf(files, clientCa);
      const isSame = last !== undefined && isDeepStrictEqual(content, last.content);
      return { files, loaded: isSame ? last : load(content, ticketKeys, clientCa), problem: undefined };
    } catch (error) {
      if (last === undefined) throw error;
      return { files, loaded: last, problem: (error as Error).message };
    }
  }

  #use(pairs: readonly Pair[]): void {
    const { onReport } = this.#options;
    const before = this.#pairs;
    const byName = new Map<string, tls.SecureContext>();
    for (const { loaded } of pairs)
      for (const name of loaded.names) if (!byName.has(name)) byName.set(name, loaded.context);
    this.#pairs = pairs;
    this.#byName = byName;
    for (const [i, pair] of pairs.entries()) this.#logChange(pair, before[i]);
    onReport?.({ inUse: pairs.map(resourceOf), kept: pairs.map(({ loaded }) => loaded.content) });
  }

  #logChange({ files, loaded, problem }: Pair, before: Pair | undefined): void {
    const { log, nowUnixMs } = this.#options;
    if (problem !== undefined && problem !== before?.problem)
      log.warn({ reason: problem }, 'cannot reload the certificates; keeping the present ones');
    else if (problem === undefined && before?.problem !== undefined)
      log.info({ path: files.cert }, 'the certificate files can be used again');
    const leftMs = Date.parse(loaded.validTo) - nowUnixMs();
    if (loaded !== before?.loaded && leftMs < SOON_MS)
      log.warn(
        { path: files.cert, validTo: loaded.validTo },
        leftMs < 0 ? 'a certificate has expired' : 'a certificate expires soon',
      );
  }
}

/** Differs after each change of a file, also of its rights and of its name. */
function stateOf({ mtimeMs, ctimeMs, ino }: Stats): string {
  return `${ino} ${mtimeMs} ${ctimeMs}`;
}

function absent(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

function stateNow(path: string): string {
  try {
    return stateOf(statSync(path));
  } catch (error) {
    return absent(error);
  }
}

function resourceOf({ files, loaded, problem }: Pair): CertificateResource {
  return {
    path: files.cert,
    names: loaded.names,
    endsAtUnixMs: Date.parse(loaded.validTo),
    ...(problem !== undefined && { problem }),
  };
}

function contentOf({ cert, key }: CertificateFiles, clientCa: string | undefined): KeptCertificate {
  const content = { files: { cert, key }, cert: readPem(cert), key: readPem(key) };
  return clientCa === undefined ? content : { ...content, ca: readPem(clientCa) };
}

function load(content: KeptCertificate, ticketKeys: Buffer | undefined, clientCa: string | undefined): Loaded {
  const { files, cert, key, ca } = content;
  const leaf = parsed(cert, files.cert);
  if (ca !== undefined) parsed(ca, clientCa!);
  const options = {
    cert,
    key,
    ...(ca !== undefined && { ca }),
    ...(ticketKeys && { ticketKeys }),
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
  } as const;
  const context = secureContext(options, files.cert, files.key);
  return { names: namesOf(leaf), validTo: leaf.validTo, content, options, context };
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
