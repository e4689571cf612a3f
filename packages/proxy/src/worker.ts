/** One proxy worker: wires engine, router, feed client, probes and snapshot file, in order, and closes them in reverse. */
import type { AddressInfo, Socket } from 'node:net';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { ExcludedPaths } from '@rollcall/core';
import { type ContextPath, DEFAULT_LEASE_MS, MAX_REASON_CHARACTERS, type ReachBounds } from '@rollcall/protocol';
import { AccessLog, type AccessLogOptions } from './access-log/access-log.ts';
import type { ClusterNode } from './cluster-node.ts';
import { ClusterRouter } from './cluster-router.ts';
import { ClusterView } from './cluster-view.ts';
import { ConnectGuard, isOfThisMachine } from './connect-guard.ts';
import { DecisionWatch } from './decision-watch.ts';
import { Ejections } from './ejections.ts';
import { Engine, type EngineOptions, type ListenAt } from './engine/engine.ts';
import { checkedLimits, type EngineLimits } from './engine/limits.ts';
import { explain } from './explanation.ts';
import { FailoverTally } from './failover-tally.ts';
import { FeedClient, type FeedClientOptions, type FeedLog } from './feed-client.ts';
import { type Delay, NodeProbes } from './node-probes.ts';
import { affordableConnections } from './open-files.ts';
import { loadAlgorithms } from './own-algorithms.ts';
import type { UpstreamNode } from './routing.ts';
import { sessionIds } from './session-ids.ts';
import { aged, isTrusted, readSnapshotFile, removeLeftovers } from './snapshot-file.ts';
import { SnapshotSaver } from './snapshot-saver.ts';
import { SecretWatch } from './sticky-secret/secret-watch.ts';
import { type CertificateFiles, Certificates } from './tls/certificates.ts';
import { type NodeTlsOptions, nodeTls } from './tls/node-tls.ts';
import { warmUp } from './warm-up.ts';

/** How often the event loop's delay is sampled, milliseconds. */
const LOOP_SAMPLE_MS = 20;
/** How long the port stays closed while nothing is known of the cluster, milliseconds. */
const FIRST_SNAPSHOT_MS = 2_000;
/** How long sessions wait for nodes of an old snapshot file, milliseconds. */
const LEARNING_MS = 10_000;
/** How long upgraded connections of a stopped node go on, milliseconds. */
const STOPPED_TUNNEL_MS = 5_000;
/** How long those of a node that is gone go on; usually they are broken already, milliseconds. */
const GONE_TUNNEL_MS = 1_000;

/** As much of a logger as a worker needs; pino's fits. */
export interface WorkerLog extends FeedLog {
  debug(fields: object, message: string): void;
}

/** The TLS port of a worker. */
export interface WorkerTls {
  readonly files: readonly CertificateFiles[];
  /** 48 octets that all workers of a site share. */
  readonly ticketKeys: Buffer;
  /** Without it clients come by `accept`. */
  readonly listen?: ListenAt;
}

export interface WorkerOptions
  extends Omit<EngineOptions, 'router' | 'now' | 'log' | 'certificates' | 'nodeTls' | 'guard' | 'onAccess'> {
  /** Stable name of the worker within its coordinator, e.g. `local-0`; matches `[A-Za-z0-9_-]{1,64}`. */
  readonly name: string;
  /** Version of the program, for pages. */
  readonly version: string;
  /** Where to accept clients. Without it they come by `accept`. */
  readonly listen?: ListenAt;
  /** Where to accept clients that speak TLS, and with which certificates. */
  readonly tls?: WorkerTls;
  /** TLS to nodes. */
  readonly nodeTls?: NodeTlsOptions;
  /** Listeners of the program that starts the worker, for the time before the feed connects: no node may point there. Default none. */
  readonly ownListeners?: ReachBounds['listeners'];
  readonly accessLog?: AccessLogOptions;
  /** The coordinator and a token of role proxy. */
  readonly feed: Pick<FeedClientOptions, 'url' | 'token' | 'certificateFiles'>;
  /** Where the last snapshot is kept; without it a restarted worker knows nothing until the feed tells. */
  readonly snapshotFile?: string;
  /** Seals our own cookies with the secret in this file; without it they are plain. */
  readonly stickySecretFile?: string;
  /** Paths that no node is asked for, with all below them. */
  readonly excludedPaths?: readonly ContextPath[];
  /** Algorithms of the operator's: files of modules, by the name that settings choose them by. */
  readonly algorithmFiles?: Readonly<Record<string, string>>;
  /** Serves nobody before it has compiled what it needs for that, half a second: for where nobody waits. Default false. */
  readonly warmsUp?: boolean;
  readonly log: WorkerLog;
  /** Lines of `log` that were lost since the start. Default: none are. */
  readonly lostLogLines?: () => number;
}

export interface Worker {
  /** Where clients are accepted; `undefined` when they come by `accept`. */
  readonly address: AddressInfo | undefined;
  /** True while the coordinator is connected. */
  readonly isConnected: boolean;
  /** Takes over a connection that somebody else has accepted, of the plain port or the TLS port. */
  accept(socket: Socket, isTls: boolean): void;
  /** The access log goes on in a new file of the same name. */
  reopenLog(): void;
  /**
   * Stops accepting, lets requests finish for at most `graceMs`, then cuts what is left. With a successor idle
   * connections are closed after their next answer only. A repeat waits for the first.
   */
  close(graceMs: number, hasSuccessor?: boolean): Promise<void>;
}

/**
 * Starts a worker; resolves when its port is open: with what the snapshot file knows at once, otherwise after the
 * first snapshot of the feed or after 2 s, when it answers 503. Rejects when the port cannot be opened.
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const {
    name,
    version,
    listen,
    feed,
    snapshotFile,
    stickySecretFile,
    excludedPaths = [],
    tls,
    nodeTls: nodeTlsOptions,
    accessLog: accessLogOptions,
    algorithmFiles = {},
    warmsUp = false,
    ownListeners = [],
    log,
    lostLogLines = () => 0,
    ...engineOptions
  } = options;
  // The import, because the global is looked up anew at each call.
  const now = (): number => performance.now();
  const rng = Math.random;
  const loopDelay = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS });
  loopDelay.enable();

  const tlsToNodes = nodeTls(nodeTlsOptions);
  const certificates = tls && new Certificates({ ...tls, log, nowUnixMs: Date.now });
  const accessLog = accessLogOptions && (await AccessLog.open(accessLogOptions, Date.now, log));
  const secretWatch = stickySecretFile === undefined ? undefined : new SecretWatch(stickySecretFile, log);
  const algorithms = await loadAlgorithms(algorithmFiles, log);
  const view = new ClusterView({ rng, algorithms, seal: secretWatch?.seal });
  const ejections = new Ejections(view, (id, what, reason) => {
    log.warn({ node: id, reason }, `node ${id} is ${what}`);
    feedClient.observed(id, what, reason);
  });
  const limits = affordable(
    checkedLimits(engineOptions.limits),
    engineOptions.limits?.maxConnections !== undefined,
    log,
  );
  const failovers = new FailoverTally();
  const router = new ClusterRouter({
    view,
    ejections,
    excluded: new ExcludedPaths(excludedPaths),
    newSessionId: sessionIds(),
    upstreamTimeoutMs: limits.upstreamTimeoutMs,
    onUnknownRoute: () => engine.countUnknownRoute(),
    onMoved: () => engine.countMoved(),
    onFailover: (balancer, node, cause) => {
      engine.countFailover();
      if (node !== undefined) failovers.count(balancer.name, node, cause);
    },
    onSeen: (node, nowMs) => {
      view.refresh(node, nowMs);
      probes.askIfDue(node, nowMs);
    },
    onIdle: () => feedClient.countersSoon(),
  });
  const refusals = new WeakMap<UpstreamNode, string>();
  const guard = new ConnectGuard<UpstreamNode>({
    bounds: () => view.reach,
    isOwn: isOfThisMachine,
    onRefused: (node, reason) => {
      // One line and one report per reason, not one per connect.
      if (refusals.get(node) === reason) return;
      refusals.set(node, reason);
      log.warn({ node: node.id, reason }, `node ${node.id} is not connected to`);
      if (view.reach !== undefined) feedClient.observed(node.id, 'not-allowed', reason.slice(0, MAX_REASON_CHARACTERS));
    },
  });
  const decisions = new DecisionWatch({ router, delay, nowUnixMs: Date.now });
  const engine = new Engine({
    ...engineOptions,
    limits,
    router,
    nodeTls: tlsToNodes,
    guard,
    ...(certificates && { certificates }),
    ...(accessLog && { onAccess: (entry) => accessLog.write(entry) }),
    now,
    log,
  });
  const probes = new NodeProbes({
    view,
    ejections,
    prober: engine,
    version,
    now,
    delay,
    isFeedLost: () => !feedClient.isSynced,
    openMs: () => Math.max(limits.upstreamTimeoutMs, view.leaseMs),
    onResult: (node) => router.onChange(node),
  });
  view.listener = {
    onReach: () => engine.closeIdleToNodes(),
    onChange: () => router.onChange(),
    onStanding: (node) => {
      if (node.watch.isGivenUp || node.watch.isDown) router.onNodeLost(node);
      router.onChange(node);
      for (const { attached } of view.table.contextsOf(node.id)) router.onChange(attached);
      feedClient.portSoon(node);
      probes.askIfDue(node, now());
    },
    onStopped: (node) => engine.endTunnels(node, STOPPED_TUNNEL_MS),
    onGone: (node) => onGone(node),
  };
  function onGone(node: ClusterNode): void {
    probes.forget(node);
    feedClient.forgetPort(node.id);
    router.onNodeGone(node);
    router.onChange(node);
    // One that left, or was removed, is let finish what it has begun.
    if (node.goneCause === 'left' || node.goneCause === 'removed') engine.endTunnels(node, GONE_TUNNEL_MS);
    else router.onNodeLost(node);
  }

  const saver =
    snapshotFile === undefined
      ? undefined
      : new SnapshotSaver({ path: snapshotFile, view, delay, nowMs: now, nowUnixMs: Date.now, log });
  if (snapshotFile !== undefined) await loadSnapshot(snapshotFile, { view, ownListeners, nowMs: now(), log });

  const firstApplied = gate();
  if (view.isFilled) firstApplied.open();
  const feedClient = new FeedClient({
    ...feed,
    worker: name,
    version,
    view,
    now,
    rng,
    delay,
    log,
    failovers,
    totals: () => {
      // What Node measures includes the time between two samples.
      const loopDelayMs = loopDelay.mean / 1e6 - LOOP_SAMPLE_MS;
      loopDelay.reset();
      // Without a sample since the last counters there is no mean.
      return {
        ...engine.counters(Number.isNaN(loopDelayMs) ? 0 : Math.max(0, loopDelayMs)),
        logLinesLost: lostLogLines(),
        accessLogLinesLost: accessLog?.lost ?? 0,
      };
    },
    answer: (question) => {
      if (question.type === 'decisions') return decisions.watch(question);
      return question.type === 'explain' ? explain(router, question, now()) : engine.scoreboard();
    },
    onApplied: () => {
      firstApplied.open();
      saver?.saveSoon();
    },
  });
  feedClient.start();
  probes.start();
  const stopWaiting = delay(() => firstApplied.open(), FIRST_SNAPSHOT_MS);
  await Promise.all([firstApplied.isOpen, warmsUp ? warmUp() : undefined]);
  stopWaiting();

  let closing: Promise<void> | undefined;
  const end = async (graceMs: number, hasSuccessor: boolean): Promise<void> => {
    await engine.close(graceMs, hasSuccessor);
    probes.close();
    decisions.close();
    feedClient.close();
    await saver?.close();
    secretWatch?.close();
    certificates?.close();
    await accessLog?.close();
    loopDelay.disable();
  };
  try {
    await engine.start();
    const address = listen && (await engine.listen(listen));
    if (tls?.listen !== undefined) await engine.listenTls(tls.listen);
    return {
      address,
      get isConnected() {
        return feedClient.isSynced;
      },
      accept: (socket, isTls) => (isTls ? engine.acceptTls(socket) : engine.accept(socket)),
      reopenLog: () => accessLog?.reopen(),
      close: (graceMs, hasSuccessor = false) => {
        closing ??= end(graceMs, hasSuccessor);
        return closing;
      },
    };
  } catch (error) {
    await end(0, false);
    throw error;
  }
}

/** `limits` with no more connections than there are files for: beyond that no node could be connected to either. */
function affordable(limits: EngineLimits, isWanted: boolean, log: WorkerLog): EngineLimits {
  const most = affordableConnections();
  if (most === undefined || most >= limits.maxConnections) return limits;
  log[isWanted ? 'warn' : 'info'](
    { connections: most, wanted: limits.maxConnections },
    'this process may open too few files for all connections: raise its limit (ulimit -n)',
  );
  return { ...limits, maxConnections: most };
}

/** Fills the view from the file: whole when it is fresh, otherwise with its routes as expected ones. */
async function loadSnapshot(
  path: string,
  {
    view,
    ownListeners,
    nowMs,
    log,
  }: {
    readonly view: ClusterView;
    readonly ownListeners: ReachBounds['listeners'];
    readonly nowMs: number;
    readonly log: WorkerLog;
  },
): Promise<void> {
  await removeLeftovers(path);
  const saved = await readSnapshotFile(path);
  if (saved === undefined) return;
  if (typeof saved === 'string') {
    log.warn({ path, reason: saved }, 'the snapshot file cannot be used');
    return;
  }
  const { snapshot, epoch, revision } = saved;
  // Listeners may be at other addresses since it was written.
  const reach = snapshot.reach && {
    ...snapshot.reach,
    listeners: [...snapshot.reach.listeners, ...ownListeners],
  };
  const nowUnixMs = Date.now();
  if (isTrusted(saved, nowUnixMs)) {
    view.applySnapshot(
      { ...aged(snapshot, nowUnixMs - saved.writtenAtUnixMs), ...(reach && { reach }) },
      { epoch, revision, isSettled: false, learningMs: LEARNING_MS, leaseMs: DEFAULT_LEASE_MS },
      nowMs,
    );
    view.swap(nowMs);
    log.info({ nodes: snapshot.nodes.length }, 'serving the saved snapshot until the feed is connected');
  } else {
    view.expectRoutes([...snapshot.nodes, ...snapshot.remembered], LEARNING_MS, nowMs);
    log.info({ routes: snapshot.nodes.length }, 'the saved snapshot is old: only its routes are kept');
  }
}

const delay: Delay = (run, delayMs) => {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
};

/** A promise with its resolver; opening it again does nothing. */
function gate(): { readonly isOpen: Promise<void>; readonly open: () => void } {
  let open: () => void = () => {};
  const isOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { isOpen, open };
}
