/** An agent of a test and its scripted coordinators. */
import assert from 'node:assert/strict';
import type { NodeRegistration } from '@rollcall/protocol';
import { Agent, type AgentEvents, type AgentOptions } from '../agent.ts';
import { toRegistration } from '../registration.ts';
import { type ScriptedCoordinator, startScriptedCoordinator } from './scripted-coordinator.ts';

export function registration(): NodeRegistration {
  const facts = { id: 'n1', route: 'n1', url: 'http://127.0.0.1:3000', instance: 'a'.repeat(32), incarnation: 5 };
  const node = toRegistration({ balancer: 'shop' }, facts);
  assert.ok(!('code' in node));
  return node;
}

/** An agent that reconnects without waiting, because its random numbers are zero. */
export function newAgent(urls: readonly string[], options: Partial<AgentOptions> = {}): Agent {
  return new Agent({
    coordinators: urls,
    token: () => ({}),
    registration,
    report: () => ({ load: 0.25 }),
    rng: () => 0,
    ...options,
  });
}

export function next<Name extends keyof AgentEvents>(agent: Agent, name: Name): Promise<AgentEvents[Name]> {
  return new Promise((resolve) => {
    const listener = (value: AgentEvents[Name]) => {
      agent.off(name, listener);
      resolve(value);
    };
    agent.on(name, listener);
  });
}

/** Scripted coordinators with the ids c0, c1, …; without ids for `hasIds` false. */
export async function coordinators(
  t: { after(fn: () => Promise<void>): void },
  count: number = 1,
  hasIds: boolean = false,
): Promise<ScriptedCoordinator[]> {
  const idOf = (index: number) => (hasIds ? { id: `c${index}` } : {});
  const list = await Promise.all(Array.from({ length: count }, (_, index) => startScriptedCoordinator(idOf(index))));
  for (const coordinator of list) t.after(() => coordinator.close());
  return list;
}

/** The URL of a closed port. */
export async function deadUrl(): Promise<string> {
  const coordinator = await startScriptedCoordinator();
  await coordinator.close();
  return coordinator.url;
}
