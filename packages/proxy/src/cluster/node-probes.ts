/**
 * Probes nodes and applies the passing of time: the part of the session rule in the worker. Each round goes through all nodes,
 * checks for overdue answers, and sends the probes that are due.
 *
 * A probe uses a pooled connection if there is one, which shows that the process is still the same. Otherwise, and after a
 * refused connect, it opens a fresh one. A probe stays open until it is answered, at most one of each kind per node.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type AnswerSource, type NodeWatch, REFUSAL_GAP_MS } from '@rollcall/core';
import type { ProbeKind } from '@rollcall/feed';
import { FAILURE, type Failure } from '../engine/failure.ts';
import type { ProbeQuestion } from '../engine/node-probe.ts';
import type { UpstreamNode } from '../engine/router.ts';
import type { ClusterNode } from './cluster-node.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Ejections } from './ejections.ts';

/** Runs `run` after `delayMs`. Returns a function that cancels it. */
export type Delay = (run: () => void, delayMs: number) => () => void;

/** Time between two rounds, milliseconds: the maximum delay until an overdue answer is detected. */
export const ROUND_MS = 200;
/** Probes sent in one round; the others wait for the next. Limits the cost of ten thousand members without an agent. */
const PROBES_A_ROUND = 250;
/** Maximum number of probes that are sent in one turn of the event loop, so that no request waits for all of them. */
const PROBES_A_TURN = 25;
/** Time between two such turns, milliseconds. */
const TURN_MS = 15;

/** The part of the engine that probes use. */
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
  /** True while the connection to the coordinator is lost. */
  readonly isFeedLost: () => boolean;
  /** Time limit of a probe, milliseconds. */
  readonly openMs: () => number;
  /** Probes that may be open on fresh connections at once. */
  readonly maxOpen: number;
  /** A probe of the node has a result: requests that wait for it may be routed again. */
  readonly onResult: (node: ClusterNode) => void;
}

/** Open probes of one process. */
interface OpenProbes {
  /** The kind of probe. When the coordinator learns another kind, the state starts again. */
  readonly kind: ProbeKind;
  isPooledOpen: boolean;
  isFreshOpen: boolean;
}

export class NodeProbes {
  readonly #options: NodeProbesOptions;
  /** By process: a probe that an earlier process has not answered does not block a probe of the next one. */
  readonly #open = new WeakMap<NodeWatch, OpenProbes>();
  /** Nodes whose refusal is to be confirmed. */
  readonly #doubted = new Map<ClusterNode, () => void>();
  /** Probes that are open on fresh connections. */
  #fresh = 0;
  #start = 0;
  #cancel: (() => void) | undefined;
  /** Nodes of this round that are still to be probed. */
  readonly #due: ClusterNode[] = [];
  #cancelTurn: () => void = () => {};

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
    this.#cancelTurn();
    for (const cancel of this.#doubted.values()) cancel();
    this.#doubted.clear();
  }

  /** Stops probing the node. */
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
    const isFree = this.#due.length === 0;
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
      if (isFree && this.#due.length < PROBES_A_ROUND && node.watch.wantsProbe(nowMs)) {
        this.#due.push(node);
        this.#start = (start + i + 1) % nodes.length;
      }
    }
    if (isFree && this.#due.length > 0) this.#askSome();
  }

  #askSome(): void {
    const nowMs = this.#options.now();
    for (const node of this.#due.splice(0, PROBES_A_TURN))
      if (!node.isGone && node.watch.wantsProbe(nowMs)) this.#ask(node, nowMs);
    if (this.#due.length > 0) this.#cancelTurn = this.#options.delay(() => this.#askSome(), TURN_MS);
  }

  /** Probes the node if a probe is due, and once more if a refusal is to be confirmed. */
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
    const open = this.#openOf(node);
    // A probe that cannot be sent must not count as one without an answer. The next round finds the node again.
    if (!this.#hasRoom && !open.isPooledOpen && !open.isFreshOpen) return;
    node.watch.probeAsked(nowMs);
    if (!node.watch.isInDoubt && !open.isPooledOpen && !open.isFreshOpen) {
      open.isPooledOpen = this.#options.prober.probePooled(node, this.#question(node, open, true));
      if (open.isPooledOpen) return;
    }
    if (!open.isFreshOpen && this.#hasRoom) this.#askFresh(node, open);
  }

  get #hasRoom(): boolean {
    return this.#fresh < this.#options.maxOpen;
  }

  #openOf({ watch, feedNode: { probe } }: ClusterNode): OpenProbes {
    const known = this.#open.get(watch);
    if (known?.kind === probe) return known;
    const open = { kind: probe, isPooledOpen: false, isFreshOpen: false };
    this.#open.set(watch, open);
    return open;
  }

  #askFresh(node: ClusterNode, open: OpenProbes): void {
    open.isFreshOpen = true;
    this.#fresh++;
    this.#options.prober.probeFresh(node, this.#question(node, open, false));
  }

  #question(node: ClusterNode, open: OpenProbes, isPooled: boolean): ProbeQuestion {
    const { version, openMs, now } = this.#options;
    const { watch } = node;
    const { probe, probePath = '/', instance = '' } = node.feedNode;
    const nonce = randomBytes(16).toString('hex');
    const askedAtMs = now();
    const end = (): void => {
      if (isPooled) open.isPooledOpen = false;
      else {
        open.isFreshOpen = false;
        this.#fresh--;
      }
    };
    return {
      kind: probe,
      path: probePath,
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
    // The pooled connection may only have expired: the port itself is probed at once.
    if (wasPooled && failure === FAILURE.closed && !node.isGone && !open.isFreshOpen && this.#hasRoom) {
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

/** The answer of a node that is the registered instance. */
export function proofOf(instance: string, nonce: string): string {
  return createHmac('sha256', instance).update(nonce).digest('hex');
}
