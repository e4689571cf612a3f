import type { Agent } from '../agent.ts';
import type { NodeSocket } from './node-socket.ts';

/** Forwards what the coordinator sends to `agent` to the processes that report over `socket`. Ends with the agent. */
export function relay(agent: Agent, socket: NodeSocket): void {
  agent.on('registered', (message) => socket.registered(message));
  agent.on('disconnected', ({ message }) => socket.disconnected(message));
  agent.on('status', (message) => socket.send(message));
  agent.on('drained', () => socket.drained());
}
