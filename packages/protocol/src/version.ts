/** WebSocket subprotocol that an agent offers. A later major version has a new name, and both are supported for a while. */
export const AGENT_SUBPROTOCOL = 'rollcall.v1';

/** Path of the agents' WebSocket on the control port. */
export const AGENT_PATH = '/v1/agent';

/** Header of the answer to an agent's upgrade: the id of the coordinator, so that an agent connects to it once. */
export const COORDINATOR_ID_HEADER = 'rollcall-coordinator';

/** Whether `text` is the id of a coordinator: 1 to 32 lower-case hex digits. */
export function isCoordinatorId(text: string): boolean {
  return /^[0-9a-f]{1,32}$/.test(text);
}

/** Default port of a coordinator for agents, operators and workers. */
export const DEFAULT_CONTROL_PORT = 8400;
/** Default port of the proxy. */
export const DEFAULT_PROXY_PORT = 8080;

/** Chooses a subprotocol from the offers of an agent; `undefined` means 426. */
export function chooseSubprotocol(offered: Iterable<string>): typeof AGENT_SUBPROTOCOL | undefined {
  for (const name of offered) if (name === AGENT_SUBPROTOCOL) return AGENT_SUBPROTOCOL;
  return undefined;
}
