/** A node that registers through the SDK's agent, beside the raw ones. */
import { Agent, agentUrl, newInstance, toRegistration } from '@rollcall/agent';
import type { RawAgentOptions } from './raw-agent.ts';

export interface SdkAgentOptions extends Pick<RawAgentOptions, 'controlPort' | 'token' | 'onRegistered' | 'onEnd'> {
  readonly id: string;
  readonly balancer: string;
  readonly path: string;
  readonly url: string;
}

export function sdkAgent(options: SdkAgentOptions): Agent {
  const { controlPort, token, id, balancer, path, url, onRegistered, onEnd } = options;
  const facts = { id, route: id, url, instance: newInstance(), incarnation: Date.now(), cores: 1, loadHeader: false };
  const agent = new Agent({
    coordinators: [agentUrl(`ws://127.0.0.1:${controlPort}`)!],
    token: () => ({ token }),
    registration: () => toRegistration({ balancer, contexts: [path] }, facts),
    report: () => ({ load: Math.random() / 2, sessions: 3, inFlight: 1 }),
  });
  agent.on('registered', onRegistered);
  agent.on('disconnected', ({ code }) => onEnd(code));
  agent.start();
  return agent;
}
