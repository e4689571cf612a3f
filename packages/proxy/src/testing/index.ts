/** What tests of the proxy and of those above it need; never part of a running program. */
export { type Authority, makeAuthority } from './authority.ts';
