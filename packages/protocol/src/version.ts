/** The WebSocket subprotocol an agent asks for. A later major version gets a new name, and both are spoken for a while. */
export const AGENT_SUBPROTOCOL = 'rollcall.v1';
/** The WebSocket subprotocol between coordinator and proxy workers. Private to one release line. */
export const FEED_SUBPROTOCOL = 'rollcall-feed.v1';

/**
 * The major version of the feed, in both hellos; a hello without one is of version 1. Ends of the same version understand
 * each other, whatever their releases: see README.md for what may be added without a new one.
 */
export const FEED_VERSION = 1;

/** Path of the agents' WebSocket on the control port. */
export const AGENT_PATH = '/v1/agent';
/** Path of the workers' WebSocket on the control port. */
export const FEED_PATH = '/v1/feed';

/** Where a coordinator listens for agents, operators and workers unless told otherwise. */
export const DEFAULT_CONTROL_PORT = 8400;
/** Where the proxy listens unless told otherwise. */
export const DEFAULT_PROXY_PORT = 8080;

/** Chooses the subprotocol to speak from those an agent offers; `undefined` means 426. */
export function chooseSubprotocol(offered: Iterable<string>): typeof AGENT_SUBPROTOCOL | undefined {
  for (const name of offered) if (name === AGENT_SUBPROTOCOL) return AGENT_SUBPROTOCOL;
  return undefined;
}
