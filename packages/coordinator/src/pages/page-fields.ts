// Only files of this origin: no inline script, no other site, no frame.
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "require-trusted-types-for 'script'",
].join('; ');

/** Header fields of every page. */
export const PAGE_FIELDS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': '',
  'cache-control': 'no-cache',
};

/** Header fields of a file whose path contains its digest: the browser keeps it for a year. */
export const KEPT_FIELDS: Readonly<Record<string, string>> = {
  ...PAGE_FIELDS,
  'cache-control': 'private, max-age=31536000, immutable',
};
