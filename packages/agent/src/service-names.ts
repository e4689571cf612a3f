/**
 * Coordinators of a cluster by the SRV records of a name (RFC 2782): `wss://_rollcall._tcp.example.net`. The addresses in the
 * records take the place of the name in the list of configured coordinators.
 *
 * A look-up is repeated every 30 s by the agent and after each lost connection. A failed one, and one without usable records,
 * keeps the last addresses. While there are none, it is repeated with backoff.
 */
import { Resolver } from 'node:dns/promises';
import { backoffMs, type Rng } from './backoff.ts';
import { MAX_COORDINATORS, type ServiceRecord, serviceAddresses, serviceOf } from './coordinator-url.ts';
import { reasonOf } from './reason.ts';
import type { Timers } from './timers.ts';

/** The SRV records of a name, in any order. Rejects with the error of the resolver. */
export type ServiceLookUp = (name: string) => Promise<readonly ServiceRecord[]>;

/** Time limit for a look-up, in milliseconds. */
export const SERVICE_TIMEOUT_MS = 10_000;
/** Minimum time between the starts of two look-ups of a name, in milliseconds. */
export const SERVICE_GAP_MS = 1_000;
/** Time limit of one query to one name server, in milliseconds. */
const QUERY_MS = 1_000;
const TRIES = 2;

/** Asks the name servers of the system, or `servers`. The hosts file has no SRV records. */
export function serviceLookUp(servers?: readonly string[]): ServiceLookUp {
  return (name) => {
    const resolver = new Resolver({ timeout: QUERY_MS, tries: TRIES });
    if (servers !== undefined) resolver.setServers(servers);
    return resolver.resolveSrv(name);
  };
}

export interface ServiceNamesListener {
  /** The addresses of `url` have changed. */
  onChange(url: string): void;
  /** A look-up of `url` has failed, and no addresses are known. */
  onFault(url: string, cause: string): void;
  /** An address of `url` that is not used, once for each address. */
  onIgnored(url: string, ignored: string): void;
}

interface Service {
  readonly name: string;
  addresses: readonly string[];
  readonly ignored: Set<string>;
  startedAtMs: number;
  isRunning: boolean;
  attempts: number;
  cancel: () => void;
}

export class ServiceNames {
  readonly #urls: readonly string[];
  readonly #lookUp: ServiceLookUp;
  readonly #timers: Timers;
  readonly #rng: Rng;
  readonly #listener: ServiceNamesListener;
  readonly #services = new Map<string, Service>();
  #isClosed = false;

  /** `urls`: results of `agentUrl`. Those without a service name are kept as they are. */
  constructor(
    urls: readonly string[],
    lookUp: ServiceLookUp,
    timers: Timers,
    rng: Rng,
    listener: ServiceNamesListener,
  ) {
    this.#urls = urls;
    this.#lookUp = lookUp;
    this.#timers = timers;
    this.#rng = rng;
    this.#listener = listener;
    for (const url of urls) {
      const name = serviceOf(url);
      if (name === undefined) continue;
      const startedAtMs = Number.NEGATIVE_INFINITY;
      const state = { addresses: [], ignored: new Set<string>(), startedAtMs, isRunning: false, attempts: 0 };
      this.#services.set(url, { name, ...state, cancel: () => {} });
    }
  }

  /** At least one URL has a service name. */
  get isUsed(): boolean {
    return this.#services.size > 0;
  }

  /** The coordinators in the order of `urls` and of the records, at most five, each once. */
  get coordinators(): readonly string[] {
    const all = this.#urls.flatMap((url) => this.#services.get(url)?.addresses ?? [url]);
    return [...new Set(all)].slice(0, MAX_COORDINATORS);
  }

  /** URLs with a service name that has no known addresses. */
  get unresolved(): readonly string[] {
    return [...this.#services].filter(([, { addresses }]) => addresses.length === 0).map(([url]) => url);
  }

  /** Looks all service names up, each at most once a second and one look-up at a time. */
  refresh(): void {
    for (const [url, service] of this.#services) this.#refresh(url, service);
  }

  /** Ends all look-ups; nothing is reported any more. */
  close(): void {
    this.#isClosed = true;
    for (const { cancel } of this.#services.values()) cancel();
  }

  #refresh(url: string, service: Service): void {
    const nowMs = this.#timers.nowMs();
    if (this.#isClosed || service.isRunning || nowMs - service.startedAtMs < SERVICE_GAP_MS) return;
    service.isRunning = true;
    service.startedAtMs = nowMs;
    service.cancel();
    let isSettled = false;
    const settle = (records: readonly ServiceRecord[], cause: string) => {
      if (isSettled || this.#isClosed) return;
      isSettled = true;
      service.cancel();
      service.isRunning = false;
      this.#settle(url, service, records, cause);
    };
    const tooLate = `look-up of the SRV records timed out after ${SERVICE_TIMEOUT_MS / 1_000} s`;
    service.cancel = this.#timers.after(SERVICE_TIMEOUT_MS, () => settle([], tooLate));
    this.#lookUp(service.name).then(
      (records) => settle(records, 'no usable SRV records'),
      (error: unknown) => settle([], `look-up of the SRV records failed (${codeOf(error)})`),
    );
  }

  /** `cause`: why there are no addresses, if there are none. */
  #settle(url: string, service: Service, records: readonly ServiceRecord[], cause: string): void {
    const { addresses, ignored } = serviceAddresses(url, records);
    for (const each of ignored) this.#ignored(url, service, each);
    if (addresses.length > 0) {
      service.attempts = 0;
      const isChanged = addresses.join() !== service.addresses.join();
      service.addresses = addresses;
      if (isChanged) this.#listener.onChange(url);
      return;
    }
    if (service.addresses.length > 0) return;
    const waitMs = SERVICE_GAP_MS + backoffMs(service.attempts, this.#rng);
    service.attempts += 1;
    service.cancel = this.#timers.after(waitMs, () => this.#refresh(url, service));
    this.#listener.onFault(url, cause);
  }

  #ignored(url: string, service: Service, ignored: string): void {
    if (service.ignored.has(ignored) || service.ignored.size >= MAX_COORDINATORS) return;
    service.ignored.add(ignored);
    this.#listener.onIgnored(url, ignored);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : reasonOf(error);
}
