/**
 * The address and scheme of the client, and the fields that report them to the node. Fields of a peer that is no trusted proxy are dropped.
 * Fields of a trusted proxy that count are kept, and its own address is appended; its other fields are dropped.
 */
import { fieldValue, isAuthority } from '../http1/field-rules.ts';
import { forwardedElement, type Hop, readableLines } from '../http1/forwarded-field.ts';
import { flat, requestFields, viaField } from '../http1/head-writer.ts';
import type { RequestHead } from '../http1/request-head.ts';
import {
  type ClientPeer,
  type ClientReport,
  clientReport,
  type ForwardedForm,
  isForwardedSource,
  plainScheme,
  type TrustedMatcher,
} from './client-report.ts';

/** The fields that report the client to the node, for a peer that is not trusted. */
export function untrustedFields(peer: ClientPeer, authority: string, form: ForwardedForm): string {
  const own = form === 'x-forwarded' ? '' : `Forwarded: ${ownElement(peer, authority)}\r\n`;
  return form === 'rfc7239' ? own : xForwardedFields(peer.address, peer.scheme, authority) + own;
}

function xForwardedFields(chain: string, proto: string, host: string): string {
  return `X-Forwarded-For: ${chain}\r\nX-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: ${host}\r\n`;
}

/** The request as this proxy received it, RFC 7239 §4. */
function ownElement({ address, scheme }: ClientPeer, authority: string): string {
  return forwardedElement({ address, scheme, host: authority });
}

const HOST_LINE = /^x-forwarded-host:/im;

/** The `X-Forwarded-*` of a trusted peer that sends them, completed. */
export function completedFields(peer: ClientPeer, head: RequestHead, authority: string): string {
  const others = head.forwardedOther;
  const chain = head.forwardedFor === '' ? peer.address : `${head.forwardedFor}, ${peer.address}`;
  const proto = head.forwardedProto === '' ? peer.scheme : head.forwardedProto;
  const host = HOST_LINE.test(others) ? '' : `X-Forwarded-Host: ${authority}\r\n`;
  return `X-Forwarded-For: ${chain}\r\n${others}X-Forwarded-Proto: ${proto}\r\n${host}`;
}

/** The fields for a trusted peer if `Forwarded` is read or written. What only one of the two forms can express is lost in the other. */
export function translatedFields(
  peer: ClientPeer,
  head: RequestHead,
  authority: string,
  { form, report }: { readonly form: ForwardedForm; readonly report: ClientReport },
): string {
  const isForwarded = isForwardedSource(head, form);
  let fields = '';
  if (form !== 'rfc7239' && isForwarded) {
    const chain = [...report.hops.map(({ address }) => address), peer.address].join(', ');
    fields = xForwardedFields(chain, report.scheme, validHost(report.host) || authority);
  } else if (form !== 'rfc7239') fields = completedFields(peer, head, authority);
  if (form !== 'x-forwarded') {
    const earlier = isForwarded ? readableLines(head.forwardedElements) : elementsFrom(report, head);
    const own =
      isForwarded || earlier !== '' ? ownElement(peer, authority) : describedElement(peer, report, head, authority);
    fields += `Forwarded: ${earlier === '' ? '' : `${earlier}, `}${own}\r\n`;
  }
  return fields;
}

/** Elements of `Forwarded` with what was read of `X-Forwarded-*`; these report scheme and host of the client only. */
function elementsFrom({ hops, scheme }: ClientReport, { forwardedOther }: RequestHead): string {
  const host = validHost(fieldValue(forwardedOther, 'x-forwarded-host'));
  const described = hops.map((hop, at): Hop => ({ ...hop, ...(at === 0 ? { scheme, host } : { scheme: '' }) }));
  return described.map(forwardedElement).join(', ');
}

/** The element of a front that reports scheme or host, and no address: programs read both in the first element. */
function describedElement(
  { address }: ClientPeer,
  { scheme }: ClientReport,
  { forwardedOther }: RequestHead,
  authority: string,
): string {
  return forwardedElement({
    address,
    scheme,
    host: validHost(fieldValue(forwardedOther, 'x-forwarded-host')) || authority,
  });
}

/** The fields with one `X-Forwarded-Prefix`: the prefixes of the proxies in front, then `prefix`. */
function withPrefixField(fields: string, prefix: string): string {
  let outer = '';
  const others = fields.replace(/^x-forwarded-prefix:(.*)\r\n/gim, (_, value: string) => {
    for (const part of value.split(',')) outer += part.trim().replace(/\/+$/, '');
    return '';
  });
  return `${others}X-Forwarded-Prefix: ${outer}${prefix}\r\n`;
}

/** `X-Forwarded-Host`, the first one, with `X-Forwarded-Port` if it has no port; `''` if absent or invalid. */
function reportedAuthority({ forwardedOther, isSecure }: RequestHead): string {
  const host = validHost(fieldValue(forwardedOther, 'x-forwarded-host').split(',')[0]!.trim());
  if (host === '' || /:\d*$/.test(host)) return host;
  const port = Number(fieldValue(forwardedOther, 'x-forwarded-port').split(',')[0]);
  return port > 0 && port < 65_536 && port !== (isSecure ? 443 : 80) ? `${host}:${port}` : host;
}

function validHost(text: string): string {
  return isAuthority(text) ? text : '';
}

/** Services of the engine that an identity uses. */
export interface IdentityServices {
  readonly isTrusted: TrustedMatcher;
  /** Which fields name the client, from trusted proxies and to nodes. */
  readonly forwardedForm: ForwardedForm;
  /** This proxy in `Via`: random, so that a request that comes back is recognised. `''`: it adds no `Via` and recognises none. */
  readonly viaName: string;
}

/** The identity of the client of one connection, whose requests are read into one `head`. */
export class ClientIdentity {
  readonly peer: ClientPeer;
  readonly #head: RequestHead;
  readonly #services: IdentityServices;
  /** The last authority of an untrusted peer, and its identity fields: a client rarely sends requests for two hosts. */
  #identityFor = '';
  #identity = '';
  /** The parts of the last request's fields, and the fields themselves once the same parts have come twice. */
  #fieldsFor = '';
  #fieldsIdentity = '';
  #fieldsAuthority = '';
  #fields = '';
  /** The fields of a trusted peer that were read last, and their report. */
  #report: ClientReport | undefined;
  #reportFor = '';
  #reportProto = '';
  #reportElements = '';

  constructor(address: string, scheme: ClientPeer['scheme'], head: RequestHead, services: IdentityServices) {
    this.peer = { address, scheme, isTrusted: services.isTrusted(address) };
    this.#head = head;
    this.#services = services;
    head.isSecure = scheme === 'https';
    head.isFromTrusted = this.peer.isTrusted;
  }

  /** A head has been read: a trusted proxy reports the scheme of each request. */
  onHead(): void {
    if (!this.peer.isTrusted) return;
    const scheme = plainScheme(this.peer, this.#head, this.#services.forwardedForm) ?? this.#reported().scheme;
    this.#head.isSecure = scheme === 'https';
  }

  /** True if the present request has been through this proxy before. */
  get isLoop(): boolean {
    const { via } = this.#head;
    if (via === '') return false;
    const { viaName } = this.#services;
    return viaName !== '' && via.includes(viaName);
  }

  /** The address of the client, behind trusted proxies the reported one. */
  clientAddress(): string {
    return this.peer.isTrusted ? this.#reported().address : this.peer.address;
  }

  /** The authority that the client requested, behind trusted proxies the reported one; `''` if unknown. */
  publicAuthority(): string {
    const head = this.#head;
    if (!this.peer.isTrusted) return head.authority;
    if (isForwardedSource(head, this.#services.forwardedForm))
      return validHost(this.#reported().host) || head.authority;
    return reportedAuthority(head) || head.authority;
  }

  /** The report of a trusted peer. Repeated fields are read once. */
  #reported(): ClientReport {
    const { forwardedFor, forwardedProto, forwardedElements } = this.#head;
    if (
      this.#report === undefined ||
      forwardedFor !== this.#reportFor ||
      forwardedProto !== this.#reportProto ||
      forwardedElements !== this.#reportElements
    ) {
      this.#report = clientReport(this.peer, this.#head, this.#services);
      this.#reportFor = forwardedFor;
      this.#reportProto = forwardedProto;
      this.#reportElements = forwardedElements;
    }
    return this.#report;
  }

  /**
   * The fields of the present request for a node that is sent `authority`, without the path prefix `prefix`. Repeated fields become one
   * flat string, which is faster to write.
   */
  requestFields(authority: string, prefix: string): string {
    const { forwarded } = this.#head;
    const identity = this.#identityFields(authority, prefix);
    if (forwarded !== this.#fieldsFor || identity !== this.#fieldsIdentity || authority !== this.#fieldsAuthority) {
      this.#fieldsFor = forwarded;
      this.#fieldsIdentity = identity;
      this.#fieldsAuthority = authority;
      this.#fields = '';
      return requestFields(authority, forwarded, identity);
    }
    if (this.#fields === '') this.#fields = flat(requestFields(authority, forwarded, identity));
    return this.#fields;
  }

  /** The fields that report the client and the proxies before this one. */
  #identityFields(authority: string, prefix: string): string {
    const fields = this.#ownFields(authority);
    return prefix === '' ? fields : withPrefixField(fields, prefix);
  }

  #ownFields(authority: string): string {
    const head = this.#head;
    const { viaName, forwardedForm: form } = this.#services;
    if (this.peer.isTrusted) {
      const own =
        form === 'x-forwarded' && !isForwardedSource(head, form)
          ? completedFields(this.peer, head, authority)
          : translatedFields(this.peer, head, authority, { form, report: this.#reported() });
      return own + viaField(head, viaName);
    }
    if (head.via !== '' || head.isHttp10) return untrustedFields(this.peer, authority, form) + viaField(head, viaName);
    if (authority !== this.#identityFor) {
      this.#identityFor = authority;
      this.#identity = flat(untrustedFields(this.peer, authority, form) + viaField(head, viaName));
    }
    return this.#identity;
  }
}
