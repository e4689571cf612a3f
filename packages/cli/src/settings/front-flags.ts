/** Options of `up` about proxies in front of it (which are trusted, and how they name the client), about `Via` and about traces. */
import {
  FORWARDED_FORMS,
  type ForwardedForm,
  PROXY_PROTOCOL_LISTENERS,
  type ProxyProtocolListener,
} from '@rollcall/proxy';
import { isAddressRange } from '../address.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { listed } from './listed.ts';
import { flag } from './vocabulary.ts';

/** Flags of `up` as parsed by commander. */
export interface FrontFlags {
  readonly trustedProxy?: readonly string[];
  readonly forwarded?: string;
  readonly via?: string;
  readonly traceparent?: string;
  readonly proxyProtocol?: readonly string[];
  readonly tls?: string;
}

/** Options of a worker. */
export interface FrontOptions {
  readonly trustedProxies: readonly string[];
  readonly forwardedForm: ForwardedForm;
  readonly addsVia: boolean;
  readonly makesTraces: boolean;
  readonly proxyProtocol: readonly ProxyProtocolListener[];
}

/** Throws a usage failure for invalid options. */
export function frontFlags({
  trustedProxy,
  forwarded,
  via,
  traceparent,
  proxyProtocol,
  tls,
}: FrontFlags): FrontOptions {
  const trustedProxies = rangesFlag('--trusted-proxy', trustedProxy ?? []);
  return {
    trustedProxies,
    forwardedForm: formFlag(forwarded ?? 'x-forwarded'),
    addsVia: flag(via ?? 'on', '--via'),
    makesTraces: makesTraces(traceparent ?? 'pass'),
    proxyProtocol: listenersFlag(proxyProtocol ?? [], {
      hasTls: tls !== undefined,
      trustsAny: trustedProxies.length > 0,
    }),
  };
}

/** Listeners have the names of the options that open them. */
function listenersFlag(
  values: readonly string[] | string,
  { hasTls, trustsAny }: { readonly hasTls: boolean; readonly trustsAny: boolean },
): readonly ProxyProtocolListener[] {
  const listeners = listed(values).map((text) => {
    const listener = PROXY_PROTOCOL_LISTENERS.find((known) => known === text);
    if (listener === undefined)
      throw new CliFailure(
        `--proxy-protocol ${text} is not a listener: write proxy for that of --proxy, tls for that of --tls`,
        EXIT.usage,
      );
    return listener;
  });
  if (listeners.includes('tls') && !hasTls)
    throw new CliFailure('--proxy-protocol tls needs --tls, the TLS listener', EXIT.usage);
  if (listeners.length > 0 && !trustsAny)
    throw new CliFailure(
      '--proxy-protocol needs --trusted-proxy, the proxies in front: connections of other peers are closed',
      EXIT.usage,
    );
  return listeners;
}

function makesTraces(text: string): boolean {
  if (text !== 'pass' && text !== 'make')
    throw new CliFailure(`--traceparent ${text} is not one of pass, make`, EXIT.usage);
  return text === 'make';
}

/** A settings file may have any text. */
function formFlag(text: string): ForwardedForm {
  const form = FORWARDED_FORMS.find((known) => known === text);
  if (form === undefined)
    throw new CliFailure(`--forwarded ${text} is not one of ${FORWARDED_FORMS.join(', ')}`, EXIT.usage);
  return form;
}

/** Addresses or CIDR ranges. */
export function rangesFlag(flag: string, values: readonly string[] | string): readonly string[] {
  const ranges = listed(values);
  for (const range of ranges)
    if (!isAddressRange(range))
      throw new CliFailure(`${flag} ${range} is not an address or CIDR range like 10.0.0.0/8`, EXIT.usage);
  return ranges;
}
