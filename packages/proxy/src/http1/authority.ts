/** Authorities as they are compared: RFC 9110 §4.2.3 and RFC 3986 §6.2.3, without the user and with the port of the scheme by default. */
import { canonicalHost } from '@rollcall/protocol';

const PARTS = /^(\[[^\]]*\]|[^:]*)(?::([0-9]*))?$/;
/** A program with the address 127.0.0.1 may use the name localhost. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** `host:port` in one spelling; `port` is used where `authority` has none. `''` if `authority` is not a host and port. */
export function comparableAuthority(authority: string, port: string): string {
  const [, host, written = ''] = PARTS.exec(authority.slice(authority.lastIndexOf('@') + 1)) ?? [];
  if (host === undefined) return '';
  const name = canonicalHost(host);
  return `${LOOPBACK.test(name) ? 'localhost' : name}:${written === '' ? port : Number(written)}`;
}

/** The port of `http` and `https`, whose case does not matter. */
export function defaultPort(scheme: string): '80' | '443' {
  return scheme.toLowerCase() === 'https' ? '443' : '80';
}

/** True if both are the same host at the same port, or at the default port of their schemes. */
export function isSameSite(one: string, scheme: string, other: string, otherScheme: string): boolean {
  return withoutDefaultPort(one, scheme) === withoutDefaultPort(other, otherScheme);
}

function withoutDefaultPort(authority: string, scheme: string): string {
  const port = defaultPort(scheme);
  const whole = comparableAuthority(authority, port);
  return whole.endsWith(`:${port}`) ? whole.slice(0, -port.length - 1) : whole;
}
