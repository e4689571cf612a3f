/** Helpers for tests of the proxy and of packages above it; never part of a running program. */
export { newUpstreamCounters } from '../engine/counters.ts';
export {
  bodyRequest,
  chunkPacket,
  endPacket,
  type Forwarded,
  headPacket,
  PONG,
  readForwardRequest,
} from './ajp-node.ts';
export { type Authority, makeAuthority } from './authority.ts';
