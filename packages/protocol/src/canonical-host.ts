const IPV6 = /^\[[0-9a-f:.]+\]$/;

/**
 * `host` in the one spelling by which hosts are compared. It is in lower case (RFC 9110 §4.2.3), without the dot at the end of a
 * fully qualified name. A bracketed IPv6 address has the form of RFC 5952.
 */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase();
  if (IPV6.test(lower)) return canonicalIpv6(lower);
  return lower.length > 1 && lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

function canonicalIpv6(bracketed: string): string {
  try {
    return new URL(`http://${bracketed}/`).hostname;
  } catch {
    // Not an address: it is equal only to itself.
    return bracketed;
  }
}
