/** Decides which coordinators an agent connects to: one link for each target. Pure functions. */
import { MAX_COORDINATORS } from './coordinator-url.ts';

/** What one link connects to. */
export interface LinkTarget {
  /** One address. Several are alternatives: the link tries them in order and holds one connection. */
  readonly urls: readonly string[];
  /** The only IP address of the name in `urls` that the link connects to. Default: all addresses of the name, in order. */
  readonly address?: string;
  /** `address`: another address of the name of a configured or announced coordinator. */
  readonly origin: 'configured' | 'announced' | 'address';
}

/** A coordinator that was reached by a name and that has announced its id. */
export interface ReachedName {
  readonly url: string;
  /** The IP address of the connection. */
  readonly address: string;
  /** All addresses of the name, from the last look-up. */
  readonly addresses: readonly string[];
}

export interface TargetFacts {
  readonly configured: readonly string[];
  /** The configured coordinators are alternatives for one connection. */
  readonly areAlternatives: boolean;
  /** Accepted announced coordinators. */
  readonly announced: readonly string[];
  readonly names: readonly ReachedName[];
}

/** The targets in the order of precedence, at most `MAX_COORDINATORS`: configured, announced, further addresses of names. */
export function linkTargets({ configured, areAlternatives, announced, names }: TargetFacts): LinkTarget[] {
  const own: LinkTarget[] = areAlternatives
    ? [{ urls: configured, origin: 'configured' }]
    : configured.map((url) => ({ urls: [url], origin: 'configured' }));
  const others = announced.filter((url) => !configured.includes(url));
  const targets: LinkTarget[] = [...own, ...others.map((url) => ({ urls: [url], origin: 'announced' }) as const)];
  for (const { url, address, addresses } of names) {
    const further = addresses.filter((each) => each !== address);
    targets.push(...further.map((each) => ({ urls: [url], address: each, origin: 'address' }) as const));
  }
  return [...new Map(targets.map((target) => [targetKey(target), target])).values()].slice(0, MAX_COORDINATORS);
}

/** Equal for targets of the same link. */
export function targetKey({ urls, address = '' }: LinkTarget): string {
  return `${urls[0]} ${address}`;
}
