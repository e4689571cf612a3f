/** Certificates for tests, made by the openssl command. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateFiles } from '../tls/certificates.ts';

export interface Authority {
  /** PEM file with the authority's own certificate. */
  readonly caFile: string;
  /** Its content. */
  readonly ca: string;
  readonly directory: string;
  /** Signs a certificate for `names` (DNS names, IP addresses or URIs) and writes it and its key to files called `file`. */
  issue(file: string, names: readonly string[], options?: IssueOptions): CertificateFiles;
}

/** Removes the certificates: a test, or a list of its file. */
export interface AuthorityOwner {
  after(close: () => void): void;
}

export interface IssueOptions {
  /** Default: the first name. */
  readonly commonName?: string;
  /** Unix time in milliseconds; default now. */
  readonly fromUnixMs?: number;
  /** Unix time in milliseconds; default in 20 days. */
  readonly untilUnixMs?: number;
}

export function makeAuthority(t: AuthorityOwner): Authority {
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
  writeFileSync(join(directory, 'ca.cnf'), CA_SETTINGS);
  writeFileSync(join(directory, 'index.txt'), '');
  const caFile = join(directory, 'ca.crt');
  return {
    caFile,
    ca: readFileSync(caFile, 'utf8'),
    directory,
    issue(
      file,
      names,
      { commonName = names[0], fromUnixMs = Date.now(), untilUnixMs = Date.now() + TWENTY_DAYS_MS } = {},
    ) {
      const alternative = names.map((name) => `${kindOf(name)}:${name}`).join(',');
      writeFileSync(join(directory, `${file}.ext`), `subjectAltName=${alternative}\n`);
      openssl('req', ...newKey, '-keyout', `${file}.key`, '-out', `${file}.csr`, '-subj', `/CN=${commonName}`);
      // Only `openssl ca` supports dates in all its versions.
      const dates = ['-startdate', asn1(fromUnixMs), '-enddate', asn1(untilUnixMs)];
      const signed = ['-config', 'ca.cnf', '-batch', '-notext', '-extfile', `${file}.ext`, ...dates];
      openssl('ca', ...signed, '-in', `${file}.csr`, '-out', `${file}.crt`);
      return { cert: join(directory, `${file}.crt`), key: join(directory, `${file}.key`) };
    },
  };
}

const TWENTY_DAYS_MS = 20 * 86_400_000;

const CA_SETTINGS = `[ca]
default_ca = test
[test]
database = index.txt
new_certs_dir = .
rand_serial = yes
certificate = ca.crt
private_key = ca.key
default_md = sha256
policy = policy
unique_subject = no
[policy]
commonName = supplied
`;

function kindOf(name: string): 'IP' | 'URI' | 'DNS' {
  if (/^[\d.]+$/.test(name)) return 'IP';
  return name.includes('://') ? 'URI' : 'DNS';
}

/** `YYYYMMDDHHMMSSZ`. */
function asn1(unixMs: number): string {
  return `${new Date(unixMs).toISOString().replaceAll(/\D/g, '').slice(0, 14)}Z`;
}
