/** Helpers for tests and measurements of packages above this one; never part of a running program. */
export { NodeClient, type NodeClientOptions } from './node-client.ts';
