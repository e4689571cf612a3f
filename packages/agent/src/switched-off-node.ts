import { isName, type Status } from '@rollcall/protocol';
import type { NodeCore } from './node-core.ts';
import type { DrainOutcome } from './node-status.ts';
import type { Settings } from './options.ts';
import { newSessionId, sessionIdWithRoute } from './session-id.ts';

/** Stub of a node while the SDK is switched off. Session ids have a route if an option contains one. */
export class SwitchedOffNode implements NodeCore {
  readonly isEnabled = false;
  readonly isRegistered = false;
  readonly status: Status = 'enabled';
  readonly id: string | undefined;
  readonly route: string | undefined;

  constructor({ description: { id, route } = {} }: Settings) {
    this.id = id !== undefined && isName(id) ? id : undefined;
    this.route = route !== undefined && isName(route) ? route : this.id;
  }

  on(): void {}
  off(): void {}
  attach(): this {
    return this;
  }
  register(): void {}
  sessionId(base: unknown): string {
    const text = typeof base === 'string' ? base : undefined;
    return this.route === undefined ? text || newSessionId() : sessionIdWithRoute(text, this.route);
  }
  metric(): void {}
  ready(): void {}
  async drain(): Promise<DrainOutcome> {
    return 'unregistered';
  }
  async close(): Promise<void> {}
  failed(): void {}
}
