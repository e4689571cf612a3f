/** The limit that ended a request, for the log and for operators: `upstream-timeout 30s`. */
import type { RequestLimits } from '@rollcall/core';
import { durationText, TIME_LIMITS, type TimeLimitKey } from '@rollcall/protocol';
import { FAILURE, type Failure } from './failure.ts';
import type { EngineLimits } from './limits.ts';

/** Limits of the whole proxy that may end a request. */
type ProxyLimits = Pick<
  EngineLimits,
  'connectTimeoutMs' | 'maxFieldBytes' | 'maxFields' | 'maxInterim' | 'ajpPacketBytes'
>;

/** `undefined` if no limit ended the request. `pathOf`: the path whose limit applied, `''` for that of balancer or proxy. */
export function failureLimit(
  { kind }: Failure,
  { request, proxy }: { readonly request: RequestLimits; readonly proxy: ProxyLimits },
  pathOf: (key: TimeLimitKey) => string,
): string | undefined {
  switch (kind) {
    case FAILURE.connectTimeout:
      return `connect-timeout ${durationText(proxy.connectTimeoutMs)}`;
    case FAILURE.headTimeout:
      return timeLimit('upstreamTimeoutMs', request, pathOf);
    case FAILURE.idle:
      return timeLimit('upstreamIdleMs', request, pathOf);
    case FAILURE.tooLarge:
      return `head-size ${proxy.maxFieldBytes}, fields ${proxy.maxFields} or interim-responses ${proxy.maxInterim}`;
    case FAILURE.packetTooSmall:
      return `ajp-packet ${proxy.ajpPacketBytes}`;
    default:
      return undefined;
  }
}

function timeLimit(
  key: TimeLimitKey,
  limits: RequestLimits,
  pathOf: (key: TimeLimitKey) => string,
): string | undefined {
  // A request without the limit ended because its node was lost.
  if (limits[key] === Number.POSITIVE_INFINITY) return undefined;
  const path = pathOf(key);
  return `${TIME_LIMITS[key].name} ${durationText(limits[key])}${path === '' ? '' : ` (path ${path})`}`;
}
