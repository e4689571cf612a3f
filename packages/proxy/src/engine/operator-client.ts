/** Which clients are operators on this machine: their error answers name nodes and commands. */
import type { RequestHead } from '../http1/request-head.ts';

/** Hosts of a request that was typed on this machine. */
const LOCAL_HOST = /^(?:localhost|(?:[\w-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1)$/;
const LOCAL_ADDRESS = /^(?:127(?:\.\d{1,3}){3}|::1)$/;

type HeadFacts = Pick<RequestHead, 'host' | 'isHttp10' | 'forwardedFor' | 'forwardedOther' | 'via'>;

/**
 * True for a client on this machine that is no proxy. A proxy in front on the same machine is trusted, adds fields, uses HTTP/1.0
 * or sends a public name in `Host`. Called for error answers only.
 */
export function isOperatorClient(
  peer: { readonly address: string; readonly isTrusted: boolean },
  head: HeadFacts,
): boolean {
  return (
    LOCAL_ADDRESS.test(peer.address) &&
    !peer.isTrusted &&
    !head.isHttp10 &&
    head.forwardedFor === '' &&
    head.forwardedOther === '' &&
    head.via === '' &&
    LOCAL_HOST.test(head.host)
  );
}
