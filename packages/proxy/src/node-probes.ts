/**
 * Asks nodes whether they answer, and lets time act: the worker's side of the session rule. Once in a while it goes through all nodes, checks
 * what is overdue, and sends the probes that are due: on a pooled connection where there is one, which shows that the process still is the
 * one that held it, otherwise, and after a refused connect, on a fresh one. A probe stays open until it is answered, at most one of each kind per node.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type AnswerSource, type NodeWatch, REFUSAL_GAP_MS } from '@rollcall/core';
import type { ProbeKind } from '@rollcall/protocol';
import type { ClusterNode } from './cluster-node.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Ejections } from './ejections.ts';
import type { ProbeQuestion } from './engine/node-probe.ts';
import { FAILURE, type Failure } from './failure.ts';
import type { UpstreamNode } from './routing.ts';

/** Runs `run` after `delayMs` and returns the way to prevent it. */
export type Delay = (run: () => void, delayMs: number) => () => void;

/** Between two rounds, milliseconds: how late an overdue question may be noticed. */
export const ROUND_MS = 200;
/** Probes sent in one round; the rest waits for the next. Bounds what ten thousand members without an agent cost. */
const PROBES_A_ROUND = 250;

/** As much of the engine as probes need. */
export interface Prober {
  /** False when the node has no idle connection. */
  probePooled(node: UpstreamNode, question: ProbeQuestion): boolean;
  probeFresh(node: UpstreamNode, question: ProbeQuestion): void;
}

export interface NodeProbesOptions {
  readonly view: ClusterView;
  readonly ejections: Ejections;
  readonly prober: Prober;
  readonly version: string;
  readonly now: () => number;
  readonly delay: Delay;
  /** True while the coordinator's feed is lost. */
  readonly isFeedLost: () => boolean;
  /** How long a probe stays open, milliseconds. */
  readonly openMs: () => number;
  /** A probe of the node has come to a result: requests that wait for it may ask again. */
  readonly onResult: (node: ClusterNode) => void;
}

/** Probes of one process that are open. */
interface OpenProbes {
  /** Another kind, once the coordinator has learned it, is another question. */
  readonly kind: ProbeKind;
  isPooledOpen: boolean;
  isFreshOpen: boolean;
}

export class NodeProbes {
  readonly #options: NodeProbesOptions;
  /** By process: what an earlier one has not answered keeps no question from its successor. */
  readonly #open = new WeakMap<NodeWatch, OpenProbes>();
  /** Nodes whose refusal is going to be confirmed. */
  readonly #doubted = new Map<ClusterNode, () => void>();
  #start = 0;
  #cancel: (() => void) | undefined;

  constructor(options: NodeProbesOptions) {
    this.#options = options;
  }

  /** Begins the rounds. */
  start(): void {
    this.#cancel = this.#options.delay(() => {
      this.start();
      this.round();
    }, ROUND_MS);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const cancel of this.#doubted.values()) cancel();
    this.#doubted.clear();
  }

  /** The node is of no more interest. */
  forget(node: ClusterNode): void {
    this.#doubted.get(node)?.();
    this.#doubted.delete(node);
  }

  /** Goes through all nodes once. */
  round(): void {
    const { view, ejections, now, isFeedLost } = this.#options;
    const nowMs = now();
    const nodes = [...view.nodes.values()];
    const isLost = isFeedLost();
    let left = PROBES_A_ROUND;
    const start = this.#start;
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[(start + i) % nodes.length]!;
      node.watch.check(nowMs, {
        isFeedLost: isLost,
        leaseMs: view.leaseMs,
        othersLive: () => view.othersLive(node),
      });
      if (node.ejection.phase === 'ejected') ejections.observe(node, 'due', nowMs);
      view.refresh(node, nowMs);
      if (left > 0 && node.watch.wantsProbe(nowMs)) {
        left--;
        this.#start = (start + i + 1) % nodes.length;
        this.#ask(node, nowMs);
      }
    }
  }

  /** Probes the node now when it wants to be probed, and once more when a refusal is to be confirmed. */
  askIfDue(node: ClusterNode, nowMs: number): void {
    if (node.isGone) return;
    if (node.watch.wantsProbe(nowMs)) this.#ask(node, nowMs);
    if (!node.watch.isInDoubt || this.#doubted.has(node)) return;
    const cancel = this.#options.delay(() => {
      this.#doubted.delete(node);
      this.askIfDue(node, this.#options.now());
    }, REFUSAL_GAP_MS);
    this.#doubted.set(node, cancel);
  }

  #ask(node: ClusterNode, nowMs: number): void {
    node.watch.probeAsked(nowMs);
    const open = this.#openOf(node);
    if (!node.watch.isInDoubt && !open.isPooledOpen && !open.isFreshOpen) {
      open.isPooledOpen = this.#options.prober.probePooled(node, this.#question(node, open, true));
      if (open.isPooledOpen) return;
    }
    if (!open.isFreshOpen) this.#askFresh(node, open);
  }

  #openOf({ watch, probe }: ClusterNode): OpenProbes {
    const known = this.#open.get(watch);
    if (known?.kind === probe) return known;
    const open = { kind: probe, isPooledOpen: false, isFreshOpen: false };
    this.#open.set(watch, open);
    return open;
  }

  #askFresh(node: ClusterNode, open: OpenProbes): void {
    open.isFreshOpen = true;
    this.#options.prober.probeFresh(node, this.#question(node, open, false));
  }

  #question(node: ClusterNode, open: OpenProbes, isPooled: boolean): ProbeQuestion {
    const { version, openMs, now } = this.#options;
    const { watch, instance } = node;
    const nonce = randomBytes(16).toString('hex');
    const askedAtMs = now();
    const end = (): void => {
      if (isPooled) open.isPooledOpen = false;
      else open.isFreshOpen = false;
    };
    return {
      kind: node.probe,
      path: node.probePath,
      nonce,
      version,
      openMs: openMs(),
      onAnswer: (connectedAtMs, proof) => {
        end();
        const isProof = proof !== '' && instance !== '' && proof === proofOf(instance, nonce);
        watch.probeAnswered(source(connectedAtMs, isProof), now());
        this.#seen(node);
      },
      onConnected: (connectedAtMs) => {
        end();
        watch.probeConnected(source(connectedAtMs, false), now());
        this.#seen(node);
      },
      onFailure: (failure, wasPooled) => {
        end();
        this.#failed(node, open, failure, wasPooled, askedAtMs);
      },
    };
  }

  #failed(node: ClusterNode, open: OpenProbes, failure: Failure, wasPooled: boolean, askedAtMs: number): void {
    const { watch } = node;
    const nowMs = this.#options.now();
    if (failure === FAILURE.refused || failure === FAILURE.closedUnused || failure === FAILURE.notAllowed)
      watch.refused(nowMs);
    else if (failure === FAILURE.connectTimeout || failure === FAILURE.unreachable) watch.connectTimedOut(askedAtMs);
    else watch.probeDropped();
    this.#seen(node);
    // The pooled connection may just have been too old: the port itself is asked at once.
    if (wasPooled && failure === FAILURE.closed && !node.isGone && !open.isFreshOpen) {
      watch.probeAsked(nowMs);
      this.#askFresh(node, open);
    }
  }

  #seen(node: ClusterNode): void {
    if (node.isGone) return;
    this.#options.view.refresh(node, this.#options.now());
    this.#options.onResult(node);
  }
}

function source(connectedAtMs: number, isProof: boolean): AnswerSource {
  return { connectedAtMs, isProbe: true, isProof };
}

/** What a node answers that is the registered instance. */
export function proofOf(instance: string, nonce: string): string {
  return createHmac('sha256', instance).update(nonce).digest('hex');
}
