/** The links of an agent, and what holds for all of them together. */
import type { OperatorStatusMessage } from '@rollcall/protocol';
import type { CoordinatorLink } from './coordinator-link.ts';
import { MAX_COORDINATORS, nameOf } from './coordinator-url.ts';
import { type LinkTarget, targetKey } from './link-targets.ts';
import { isOnLoopback } from './local-address.ts';
import { strictest } from './operator-status.ts';

/**
 * A registration that is superseded within this time after that of another link was replaced by it, in milliseconds.
 *
 * Coordinators of release 0.1.0 announce no id. When two addresses lead to one of them, its `superseded` for the older connection
 * may arrive after its `registered` on the newer one. Without this rule such a message would end the agent.
 */
export const REPLACED_MS = 5_000;

/** A coordinator that was reached by a name. */
interface Reached {
  readonly name: string;
  readonly url: string;
  readonly address: string;
}

export class CoordinatorLinks {
  #all: readonly CoordinatorLink[] = [];

  get all(): readonly CoordinatorLink[] {
    return this.#all;
  }

  /** Links whose coordinator has accepted the node. */
  get accepted(): readonly CoordinatorLink[] {
    return this.#all.filter((link) => link.isAccepted);
  }

  /** Links whose registration is valid now: status messages are sent to them. */
  get registered(): readonly CoordinatorLink[] {
    return this.#all.filter((link) => link.isRegistered);
  }

  /** Two or more links to different coordinators. */
  get isSeveral(): boolean {
    return this.#all.filter(({ sameAs }) => sameAs === undefined).length > 1;
  }

  /** The most restrictive status of the operator at all coordinators that have accepted the node. */
  get operatorStatus(): OperatorStatusMessage {
    return strictest(this.accepted.map(({ operatorStatus }) => operatorStatus));
  }

  /** Announced coordinators, except coordinators that are connected by another address. */
  get announced(): readonly string[] {
    const own = this.ownUrls;
    return this.#listed.filter((url) => !own.has(url));
  }

  /** What connected coordinators announce; without a connection what all have announced last. */
  get #listed(): readonly string[] {
    const connected = this.accepted;
    return (connected.length > 0 ? connected : this.#all).flatMap(({ announced }) => announced);
  }

  /** Addresses that connected coordinators announce for themselves: no second connection to them is needed. */
  get ownUrls(): ReadonlySet<string> {
    return new Set(this.accepted.map(({ ownUrl }) => ownUrl).filter((url) => url !== undefined));
  }

  /** Names by which coordinators with an id were reached. `localhost` has no further coordinators. */
  get names(): readonly Reached[] {
    return this.#all.flatMap(({ target, reached }) => {
      if (target.address !== undefined || reached === undefined || isOnLoopback(reached.url)) return [];
      const name = nameOf(reached.url);
      return name === undefined ? [] : [{ ...reached, name }];
    });
  }

  /** URLs of coordinators that have not accepted the node, without addresses of names that may be unusable here. */
  get missingUrls(): readonly string[] {
    const missing = this.#all.filter(
      ({ isAccepted, sameAs, target, wasRegistered }) =>
        !isAccepted && sameAs === undefined && (target.origin !== 'address' || wasRegistered),
    );
    return [...new Set(missing.flatMap(({ urls }) => urls))];
  }

  /**
   * Adds links for the missing `targets`, and removes links that are neither needed nor accepted. An accepted link is removed as well if its
   * coordinator was only announced and is announced no longer, while another one is connected. The caller starts and ends them.
   */
  reconcile(
    targets: readonly LinkTarget[],
    create: (target: LinkTarget) => CoordinatorLink,
  ): { readonly started: readonly CoordinatorLink[]; readonly ended: readonly CoordinatorLink[] } {
    const wanted = new Set(targets.map(targetKey));
    const listed = new Set(this.#listed);
    const isListed = ({ target }: CoordinatorLink) => target.origin !== 'announced' || listed.has(target.urls[0]!);
    const mayRemove = this.accepted.some(isListed);
    const isKept = (link: CoordinatorLink) =>
      wanted.has(targetKey(link.target)) || (link.isAccepted && (isListed(link) || !mayRemove));
    const kept = this.#all.filter(isKept);
    const ended = this.#all.filter((link) => !isKept(link));
    const present = new Set(kept.map(({ target }) => targetKey(target)));
    const added = targets.filter((target) => !present.has(targetKey(target)));
    const started = added.slice(0, Math.max(0, MAX_COORDINATORS - kept.length)).map(create);
    this.#all = [...kept, ...started];
    return { started, ended };
  }

  /** The other link that is connected to the coordinator with this id. */
  holderOf(coordinatorId: string, link: CoordinatorLink): CoordinatorLink | undefined {
    return this.#all.find((other) => other !== link && other.coordinatorId === coordinatorId);
  }

  /** Links that wait because another link was connected to their coordinator, which is no longer so. */
  get free(): readonly CoordinatorLink[] {
    const held = new Set(this.#all.map(({ coordinatorId }) => coordinatorId));
    return this.#all.filter(({ sameAs }) => sameAs !== undefined && !held.has(sameAs));
  }

  /** Whether another link has registered later at what may be the same coordinator, which keeps the newest connection only. */
  isReplaced(link: CoordinatorLink, nowMs: number): boolean {
    return this.#all.some((other) => {
      if (other === link || !other.hasRegistered) return false;
      const ids = [link.coordinatorId, other.coordinatorId];
      if (!ids.includes(undefined) && ids[0] !== ids[1]) return false;
      if (!other.isAccepted) return true;
      return other.registeredAtMs >= link.registeredAtMs && nowMs - other.registeredAtMs < REPLACED_MS;
    });
  }

  /** Those of `addresses`, of the name in `url`, that no other link connects to. */
  freeAddresses(link: CoordinatorLink, url: string, addresses: readonly string[]): readonly string[] {
    const others = this.#all.filter(({ target }) => target.address !== undefined && target.urls[0] === url);
    const taken = new Set(others.filter((other) => other !== link).map(({ target }) => target.address));
    return addresses.filter((address) => !taken.has(address));
  }
}
