/**
 * Limits on client connections, in total and per client address, so that one address cannot use all of them. Trusted proxies have no limit
 * per address, because they connect for many clients.
 */
import type { Refusal } from '@rollcall/feed';

export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #byAddress = new Map<string, number>();
  /** Connections that were admitted and have not left. */
  total = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** True if another connection needs the place of an admitted one. */
  get isFull(): boolean {
    return this.total >= this.#limits.maxConnections;
  }

  /** Admits and counts a connection, or returns the reason against it. Each admitted connection leaves once. */
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
