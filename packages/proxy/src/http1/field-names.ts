/**
 * The fields that a proxy has to know. They are distinguished by length first, so that other fields, most of a message, cost a few
 * comparisons and no allocation.
 */
import { PROBE_FIELD, PROOF_FIELD } from '@rollcall/protocol';
import { asciiOctets, equalsIgnoringCase } from './octets.ts';

/** The treatment of a field. `OTHER` is forwarded unchanged. */
export const FIELD = {
  OTHER: 0,
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  COOKIE: 5,
  EXPECT: 6,
  UPGRADE: 7,
  /** Hop-by-hop by definition, RFC 9110 §7.6.1, or never for a node: dropped. */
  DROPPED: 8,
  /** Client identity: used only from trusted peers. */
  FORWARDED_FOR: 9,
  FORWARDED_OTHER: 10,
  FORWARDED_PROTO: 23,
  /** `Forwarded`, RFC 7239. */
  FORWARDED: 24,
  /** Another claim about the client, like `X-Forwarded-Ssl`: forwarded unchanged, but only from trusted peers. */
  FORWARDED_CLAIM: 25,
  REQUEST_ID: 11,
  VIA: 12,
  MAX_FORWARDS: 14,
  SET_COOKIE: 15,
  /** `Location`, `Content-Location`, `Refresh`: may name the node's own address. */
  LOCATION: 16,
  KEEP_ALIVE: 17,
  LOAD: 18,
  /** The proof of an instance, for probes only. */
  PROOF: 20,
  /** Forwarded unchanged; added to a response without one. */
  DATE: 19,
  /** `Authorization` and `WWW-Authenticate`: forwarded unchanged; some schemes authenticate the connection. */
  AUTHENTICATION: 21,
  /** `Persistent-Auth`: forwarded unchanged; the node authenticates the connection. */
  PERSISTENT_AUTH: 22,
  /** `Cache-Control`: forwarded unchanged, unless the proxy adds a cookie to an answer for shared caches. */
  CACHE_CONTROL: 23,
} as const;
export type FieldKind = (typeof FIELD)[keyof typeof FIELD];

/** Fields of requests. `Proxy` is dropped because CGI programs use it as HTTP_PROXY (httpoxy). */
const REQUEST_FIELDS: readonly (readonly [string, FieldKind])[] = [
  ['host', FIELD.HOST],
  ['content-length', FIELD.CONTENT_LENGTH],
  ['transfer-encoding', FIELD.TRANSFER_ENCODING],
  ['connection', FIELD.CONNECTION],
  ['cookie', FIELD.COOKIE],
  ['expect', FIELD.EXPECT],
  ['upgrade', FIELD.UPGRADE],
  ['keep-alive', FIELD.DROPPED],
  ['proxy-connection', FIELD.DROPPED],
  ['proxy-authorization', FIELD.DROPPED],
  ['proxy-authenticate', FIELD.DROPPED],
  ['http2-settings', FIELD.DROPPED],
  ['proxy', FIELD.DROPPED],
  ['trailer', FIELD.DROPPED],
  ['te', FIELD.DROPPED],
  ['x-forwarded-for', FIELD.FORWARDED_FOR],
  ['x-forwarded-proto', FIELD.FORWARDED_PROTO],
  ['x-forwarded-host', FIELD.FORWARDED_OTHER],
  ['x-forwarded-port', FIELD.FORWARDED_OTHER],
  ['x-forwarded-prefix', FIELD.FORWARDED_OTHER],
  ['x-forwarded-server', FIELD.FORWARDED_OTHER],
  ['x-real-ip', FIELD.FORWARDED_OTHER],
  ['forwarded', FIELD.FORWARDED],
  ['x_real_ip', FIELD.DROPPED],
  ['front-end-https', FIELD.FORWARDED_CLAIM],
  ['x-request-id', FIELD.REQUEST_ID],
  ['via', FIELD.VIA],
  ['max-forwards', FIELD.MAX_FORWARDS],
  ['authorization', FIELD.AUTHENTICATION],
  // Only probes of the proxy may request a proof.
  [PROBE_FIELD, FIELD.DROPPED],
];

const RESPONSE_FIELDS: readonly (readonly [string, FieldKind])[] = [
  ['content-length', FIELD.CONTENT_LENGTH],
  ['transfer-encoding', FIELD.TRANSFER_ENCODING],
  ['connection', FIELD.CONNECTION],
  ['upgrade', FIELD.UPGRADE],
  ['keep-alive', FIELD.KEEP_ALIVE],
  ['proxy-connection', FIELD.DROPPED],
  ['proxy-authenticate', FIELD.DROPPED],
  ['trailer', FIELD.DROPPED],
  ['te', FIELD.DROPPED],
  ['set-cookie', FIELD.SET_COOKIE],
  ['location', FIELD.LOCATION],
  ['content-location', FIELD.LOCATION],
  ['refresh', FIELD.LOCATION],
  ['rollcall-load', FIELD.LOAD],
  [PROOF_FIELD, FIELD.PROOF],
  ['date', FIELD.DATE],
  ['www-authenticate', FIELD.AUTHENTICATION],
  ['persistent-auth', FIELD.PERSISTENT_AUTH],
  ['cache-control', FIELD.CACHE_CONTROL],
];

/** True for fields whose value is never needed as text. */
export function isReadInPlace(kind: FieldKind): boolean {
  return (
    kind === FIELD.CONTENT_LENGTH ||
    kind === FIELD.CONNECTION ||
    kind === FIELD.DROPPED ||
    kind === FIELD.FORWARDED_CLAIM
  );
}

interface Name {
  readonly octets: Uint8Array;
  readonly kind: FieldKind;
}

/** Names by length; a length without a known name is absent. */
function byLength(names: readonly (readonly [string, FieldKind])[]): readonly (readonly Name[] | undefined)[] {
  const longest = Math.max(...names.map(([name]) => name.length));
  return Array.from({ length: longest + 1 }, (_, length) => {
    const bucket = names.filter(([name]) => name.length === length);
    return bucket.length === 0 ? undefined : bucket.map(([name, kind]) => ({ octets: asciiOctets(name), kind }));
  });
}

const X_FORWARDED = asciiOctets('x-forwarded');
/** CGI and WSGI programs read it as `X-Forwarded`. */
const X_FORWARDED_CGI = asciiOctets('x_forwarded');

const REQUEST_NAMES = byLength(REQUEST_FIELDS);
const RESPONSE_NAMES = byLength(RESPONSE_FIELDS);

/** The kind of the request field whose name is `octets[start, end)`. */
export function requestField(octets: Uint8Array, start: number, end: number): FieldKind {
  const kind = find(REQUEST_NAMES, octets, start, end - start);
  // `x` or `X`, then `-` or `_`: few other fields begin like this.
  if (kind !== FIELD.OTHER || end - start < X_FORWARDED.length || (octets[start]! | 0x20) !== 0x78) return kind;
  if (equalsIgnoringCase(octets, start, X_FORWARDED)) return FIELD.FORWARDED_CLAIM;
  return equalsIgnoringCase(octets, start, X_FORWARDED_CGI) ? FIELD.DROPPED : kind;
}

/** The kind of the response field whose name is `octets[start, end)`. */
export function responseField(octets: Uint8Array, start: number, end: number): FieldKind {
  return find(RESPONSE_NAMES, octets, start, end - start);
}

function find(
  names: readonly (readonly Name[] | undefined)[],
  octets: Uint8Array,
  start: number,
  length: number,
): FieldKind {
  const bucket = length < names.length ? names[length] : undefined;
  if (bucket === undefined) return FIELD.OTHER;
  for (let i = 0; i < bucket.length; i++) {
    const name = bucket[i]!;
    if (equalsIgnoringCase(octets, start, name.octets)) return name.kind;
  }
  return FIELD.OTHER;
}
