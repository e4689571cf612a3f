/**
 * Who may connect. Connections are bounded in total and per client address, so that one address cannot keep the others
 * out; proxies that we trust are not bounded, because they connect for many.
 */
import type { Refusal } from '@rollcall/protocol';

export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #byAddress = new Map<string, number>();
  /** Connections that were let in and have not left. */
  total = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** True when one more can only be let in for another one. */
  get isFull(): boolean {
    return this.total >= this.#limits.maxConnections;
  }

  /** Lets a connection in and counts it, or says why not. Each one let in leaves once. */
  enter(address: string, isTrusted: boolean): Refusal | undefined {
    if (this.isFull) return 'connections';
    if (!isTrusted) {
      const count = this.#byAddress.get(address) ?? 0;
      if (count >= this.#limits.maxConnectionsPerAddress) return 'connections-per-address';
      this.#byAddress.set(address, count + 1);
    }
    this.total++;
    return undefined;
  }

  leave(address: string, isTrusted: boolean): void {
    this.total--;
    if (isTrusted) return;
    const count = this.#byAddress.get(address) ?? 0;
    if (count > 1) this.#byAddress.set(address, count - 1);
    else this.#byAddress.delete(address);
  }
}
