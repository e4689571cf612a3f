/** Client certificates: their names, and the token that they stand for. */
import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { type Fault, printable } from '@rollcall/protocol';
import type { TokenRecord } from './tokens.ts';

const MAX_TEXT = 200;

/** Names in a certificate that can stand for a token, in this order: common name, DNS names, URIs. */
export function namesOfCertificate(certificate: X509Certificate): readonly string[] {
  const common = [certificate.toLegacyObject().subject?.CN ?? []].flat();
  const alternative = alternativeNames(certificate.subjectAltName ?? '');
  const names = [...common, ...alternative('DNS'), ...alternative('URI')];
  return [...new Set(names)].filter((name) => name !== '');
}

/** The first token that a name of the certificate stands for. */
export function recordOfCertificate(
  find: (name: string) => TokenRecord | undefined,
  certificate: X509Certificate,
): TokenRecord | undefined {
  for (const name of namesOfCertificate(certificate)) {
    const record = find(name);
    if (record) return record;
  }
  return undefined;
}

/** The token of the client certificate of a request; `undefined` without a certificate. */
export function tokenOfPeer(
  { socket }: IncomingMessage,
  find: (name: string) => TokenRecord | undefined,
): TokenRecord | Fault | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const shown = printable(certificate.subject.replaceAll('\n', ', '), MAX_TEXT);
  if (!socket.authorized)
    return {
      code: 'unauthenticated',
      message: `the client certificate ${shown} is not accepted (${String(socket.authorizationError)}): ${remedyOf(String(socket.authorizationError))}`,
    };
  const names = printable(namesOfCertificate(certificate).join(', '), MAX_TEXT);
  return (
    recordOfCertificate(find, certificate) ?? {
      code: 'unauthenticated',
      message: `no token names the client certificate ${shown}; its names are ${names}`,
    }
  );
}

/** Advice for a certificate that failed verification, by the code of OpenSSL. */
function remedyOf(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'renew it';
  if (code === 'CERT_NOT_YET_VALID') return 'it is not valid yet, or a clock is wrong';
  return '--control-client-ca sets the authorities';
}

/**
 * Reads `DNS:a.example, URI:spiffe://b`, as Node.js formats subjectAltName. Values with special characters are JSON strings, so that
 * a comma inside a value does not begin another name. Reading stops at the first text of another form.
 */
function alternativeNames(text: string): (kind: 'DNS' | 'URI') => readonly string[] {
  const entry = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;
  const found: { readonly kind: string; readonly name: string }[] = [];
  while (entry.lastIndex < text.length) {
    const [, kind = '', value = ''] = entry.exec(text) ?? [];
    if (kind === '') break;
    if (!value.startsWith('"')) found.push({ kind, name: value });
  }
  return (kind) => found.filter((one) => one.kind === kind).map(({ name }) => name);
}
