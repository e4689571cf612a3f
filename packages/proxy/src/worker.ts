/** One proxy worker: starts engine, router, feed client, probes and snapshot file in order, and closes them in reverse order. */
import type { AddressInfo, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { ExcludedPaths, isOwnIp } from '@rollcall/core';
import type { ReachBounds } from '@rollcall/feed';
import { type ContextPath, DEFAULT_LEASE_MS, MAX_REASON_CHARACTERS } from '@rollcall/protocol';
import { AccessLog, type AccessLogOptions } from './access-log/access-log.ts';
import { AjpSecret } from './ajp/secret-file.ts';
import type { ClusterNode } from './cluster/cluster-node.ts';
import { ClusterView } from './cluster/cluster-view.ts';
import { Ejections } from './cluster/ejections.ts';
import { type Delay, NodeProbes } from './cluster/node-probes.ts';
import { loadAlgorithms } from './cluster/own-algorithms.ts';
import { ConnectGuard } from './engine/connect-guard.ts';
import { Engine, type EngineOptions, type ListenAt } from './engine/engine.ts';
import { checkedLimits, type EngineLimits } from './engine/limits.ts';
import type { UpstreamNode } from './engine/router.ts';
import { FailoverCounters } from './feed/failover-counters.ts';
import { FeedClient, type FeedClientOptions, type FeedLog } from './feed/feed-client.ts';
import { type FileShares, fileShares } from './open-files.ts';
import { ClusterRouter } from './routing/cluster-router.ts';
import { DecisionRing } from './routing/decision-ring.ts';
import { DecisionWatch } from './routing/decision-watch.ts';
import { explain } from './routing/explanation.ts';
import { sessionIds } from './routing/session-ids.ts';
import { aged, isTrusted, readSnapshotFile, removeLeftovers } from './snapshot/snapshot-file.ts';
import { SnapshotSaver } from './snapshot/snapshot-saver.ts';
import { SecretWatch } from './sticky-secret/secret-watch.ts';
import { Certificates, type CertificatesOptions } from './tls/certificates.ts';
import { type NodeTlsOptions, nodeTls } from './tls/node-tls.ts';
import { warmUp } from './warm-up.ts';

/** Interval of samples of the event loop delay, milliseconds. */
const LOOP_SAMPLE_MS = 20;
/** Maximum time for which the port stays closed while the cluster is unknown, milliseconds. */
const FIRST_SNAPSHOT_MS = 2_000;
/** Time limit for sessions that wait for nodes of an old snapshot file, milliseconds. */
const LEARNING_MS = 10_000;
/** Time within which upgraded connections of a stopped node are closed, milliseconds. */
const STOPPED_TUNNEL_MS = 5_000;
/** The same for a gone node; usually they are broken already, milliseconds. */
const GONE_TUNNEL_MS = 1_000;

/** The used part of a logger; compatible with pino. */
export interface WorkerLog extends FeedLog {
  debug(fields: object, message: string): void;
}

/** The TLS port of a worker. */
export interface WorkerTls extends Pick<CertificatesOptions, 'files' | 'kept' | 'ticketKeys' | 'onReport'> {
  /** Absent: connections are passed by `accept`. */
  readonly listen?: ListenAt;
}

export interface WorkerOptions
  extends Omit<
    EngineOptions,
    'router' | 'now' | 'log' | 'certificates' | 'nodeTls' | 'ajp' | 'guard' | 'onAccess' | 'recorder'
  > {
  /** Stable name of the worker within its coordinator, e.g. `local-0`; matches `[A-Za-z0-9_-]{1,64}`. */
  readonly name: string;
  /** Version of the program, for pages. */
  readonly version: string;
  /** Address for clients. Absent: connections are passed by `accept`. */
  readonly listen?: ListenAt;
  /** Address for clients on TLS, with the certificates. */
  readonly tls?: WorkerTls;
  /** TLS to nodes. */
  readonly nodeTls?: NodeTlsOptions;
  /**
   * Listeners of the program that starts the worker, for the time before the feed connects: no node may have their addresses.
   * Default none.
   */
  readonly ownListeners?: ReachBounds['listeners'];
  readonly accessLog?: AccessLogOptions;
  /** URL of the coordinator and a token of role proxy. */
  readonly feed: Pick<FeedClientOptions, 'url' | 'token' | 'certificateFiles'>;
  /** File for the last snapshot; without it a worker that restarts waits for the feed. */
  readonly snapshotFile?: string;
  /** Seals the route cookie with the secret in this file. Absent: cookies are not sealed. */
  readonly stickySecretFile?: string;
  /** The secret that nodes with `ajp` addresses require. Absent: they are sent none. */
  readonly ajpSecretFile?: string;
  /** Paths that are never forwarded, with all paths below them. */
  readonly excludedPaths?: readonly ContextPath[];
  /** Algorithms from files: modules by the name that settings use. */
  readonly algorithmFiles?: Readonly<Record<string, string>>;
  /**
   * Compiles the request path before the port opens, which takes half a second. For a worker that replaces another one.
   * Default false.
   */
  readonly warmsUp?: boolean;
  readonly log: WorkerLog;
  /** Lines of `log` that were lost since the start. Default: no line was lost. */
  readonly lostLogLines?: () => number;
}

export interface Worker {
  /** Address for clients; `undefined` when connections are passed by `accept`. */
  readonly address: AddressInfo | undefined;
  /** True while the coordinator is connected. */
  readonly isConnected: boolean;
  /** Takes over an accepted connection, of the plain port or the TLS port. */
  accept(socket: Socket, isTls: boolean): void;
  /** Reopens the access log under the same name. */
  reopenLog(): void;
  /**
   * Stops accepting, lets requests finish for at most `graceMs`, then closes the remaining connections. With a successor idle
   * connections are closed only after their next answer. A repeat waits for the first call.
   */
  close(graceMs: number, hasSuccessor?: boolean): Promise<void>;
}

/**
 * Starts a worker. Resolves when its port is open: at once with a snapshot file. Otherwise it opens after the first snapshot of the
 * feed or after 2 s, when it answers 503. Rejects when the port cannot be opened.
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const {
    name,
    version,
    listen,
    feed,
    snapshotFile,
    stickySecretFile,
    ajpSecretFile,
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
  // The imported function, because a global is looked up at each call.
  const now = (): number => performance.now();
  const rng = Math.random;
  const loopDelay = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS });
  loopDelay.enable();

  const tlsToNodes = nodeTls(nodeTlsOptions);
  const certificates = tls && new Certificates({ ...tls, log, nowUnixMs: Date.now });
  const accessLog = accessLogOptions && (await AccessLog.open(accessLogOptions, Date.now, log));
  const secretWatch = stickySecretFile === undefined ? undefined : new SecretWatch(stickySecretFile, log);
  const ajpSecret = ajpSecretFile === undefined ? undefined : new AjpSecret(ajpSecretFile, log);
  const algorithms = await loadAlgorithms(algorithmFiles, log);
  const shares = fileShares();
  const limits = affordable(
    checkedLimits(engineOptions.limits),
    shares,
    engineOptions.limits?.maxConnections !== undefined,
    log,
  );
  const view = new ClusterView({ limits, rng, algorithms, seal: secretWatch?.seal });
  const ejections = new Ejections(view, (id, what, reason, cause) => {
    log.warn({ node: id, reason }, `node ${id} is ${what}`);
    feedClient.observed(id, what, reason, cause);
  });
  const failovers = new FailoverCounters();
  const router = new ClusterRouter({
    view,
    ejections,
    excluded: new ExcludedPaths(excludedPaths),
    newSessionId: sessionIds(),
    nowUnixMs: () => Date.now(),
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
    isOwn: (address) => isOwnIp(address, networkInterfaces()),
    onRefused: (node, reason) => {
      // One log line and one report per reason until a connect is allowed, not one per connect.
      if (refusals.get(node) === reason) return;
      refusals.set(node, reason);
      log.warn({ node: node.id, reason }, `node ${node.id} is not connected to`);
      if (view.reach !== undefined) feedClient.observed(node.id, 'not-allowed', reason.slice(0, MAX_REASON_CHARACTERS));
    },
    onAllowed: (node) => refusals.delete(node),
  });
  const ring = new DecisionRing();
  const decisions = new DecisionWatch({ router, delay, nowUnixMs: Date.now });
  const engine = new Engine({
    ...engineOptions,
    limits,
    maxIdle: shares?.idle,
    router,
    nodeTls: tlsToNodes,
    ...(ajpSecret && { ajp: { secret: () => ajpSecret.secret } }),
    guard,
    ...(certificates && { certificates }),
    ...(accessLog && { onAccess: (entry) => accessLog.write(entry) }),
    recorder: ring,
    now,
    rng,
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
    // A probe without an end would never be followed by another one.
    openMs: () => Math.max(Number.isFinite(limits.upstreamTimeoutMs) ? limits.upstreamTimeoutMs : 0, view.leaseMs),
    maxOpen: shares?.probes ?? Number.POSITIVE_INFINITY,
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
    onDrainTime: (node) => engine.onDrainTime(node),
    onGone: (node) => onGone(node),
  };
  function onGone(node: ClusterNode): void {
    probes.forget(node);
    feedClient.forgetPort(node.id);
    router.onNodeGone(node);
    router.onChange(node);
    // Requests at a node that left, or was removed, may finish.
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
    counters: () => {
      // The measured delay includes the time between two samples.
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
      switch (question.type) {
        case 'decisions':
          return decisions.watch(question);
        case 'past-decisions':
          return {
            type: 'past-decisions',
            worker: name,
            ...ring.find(question, { nowMs: now(), nowUnixMs: Date.now() }),
          };
        case 'explain':
          return explain(router, question, now());
        case 'scoreboard':
          return engine.scoreboard();
      }
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
    ajpSecret?.close();
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

/** Limits `limits` to the number of connections for which there are files: beyond it no node could be connected to. */
function affordable(
  limits: EngineLimits,
  shares: FileShares | undefined,
  isWanted: boolean,
  log: WorkerLog,
): EngineLimits {
  const most = shares?.clients;
  if (most === undefined || most >= limits.maxConnections) return limits;
  log[isWanted ? 'warn' : 'info'](
    { connections: most, wanted: limits.maxConnections },
    'this process may open too few files for all connections: raise its limit (ulimit -n)',
  );
  return { ...limits, maxConnections: most };
}

/** Fills the view from the file: completely when it is fresh, otherwise with its routes as expected routes. */
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
  // Listeners may have other addresses since the file was written.
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

/** A promise with its resolver; a repeated call does nothing. */
function gate(): { readonly isOpen: Promise<void>; readonly open: () => void } {
  let open: () => void = () => {};
  const isOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { isOpen, open };
}
