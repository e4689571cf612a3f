/** Builds a coordinator from its parts, in order, and closes them in reverse order. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Registry, startSettingsMistake } from '@rollcall/core';
import { agentUrl, type CoordinatorResource, type ProcessResource, type ReplacedProcess } from '@rollcall/protocol';
import { createAdminApp } from './admin/app.ts';
import { settingsMistake } from './admin/balancers.ts';
import type { Dependencies } from './admin/dependencies.ts';
import { loginUrl } from './admin/login.ts';
import { SharedAnswers } from './admin/shared-answers.ts';
import { AgentServer } from './agents/agent-server.ts';
import { AnnouncedCoordinators } from './agents/announced-coordinators.ts';
import { NodeAddressPolicy, type PinnedAddress } from './agents/node-address-policy.ts';
import { ProbeKinds } from './agents/probe-kinds.ts';
import { Prober } from './agents/prober.ts';
import { ReadyPaths } from './agents/ready-paths.ts';
import { RegistrationPace } from './agents/registration-pace.ts';
import { probeRestoredMembers } from './agents/restored-members.ts';
import { Gate } from './auth/gate.ts';
import { Logins, loginsPath, readLoginsFile } from './auth/logins.ts';
import { OpenConnections } from './auth/open-connections.ts';
import { SharedTokens } from './auth/shared-tokens.ts';
import { openTokens, type Tokens } from './auth/tokens.ts';
import { Cluster } from './cluster.ts';
import { clusterIdPath, newClusterId, readClusterId } from './cluster-id.ts';
import { type Config, type CoordinatorOptions, configOf, type ListenAddress } from './config.ts';
import { ownCoordinatorId } from './coordinator-id.ts';
import { Audit } from './events/audit.ts';
import { earlierEvents } from './events/earlier-events.ts';
import { EventLog } from './events/event-log.ts';
import { History } from './events/history.ts';
import { FeedServer } from './feed/feed-server.ts';
import { StateDirectory } from './files/state-directory.ts';
import { startAdvertiser } from './mcmp/advertiser.ts';
import { McmpServer } from './mcmp/mcmp-server.ts';
import { CidrList, isLoopbackHost, parseIp } from './network/addresses.ts';
import { clearTextAdvice } from './network/clear-text.ts';
import { closeServer, createUpgradeServer, listen, routeUpgrades, urlOf } from './network/control-server.ts';
import { ControlTlsPorts } from './network/control-tls.ts';
import { IdleConnections } from './network/idle-connections.ts';
import { believeProxies } from './network/peer.ts';
import { UnreadAnswers } from './network/unread-answers.ts';
import { ProblemTimes } from './problems/problem-times.ts';
import { clusterVerdict, keepLooking } from './problems/problems.ts';
import { SupervisedProcesses } from './supervised-processes.ts';
import { SharedSync } from './sync/shared-sync.ts';
import { StoreSync } from './sync/store-sync.ts';
import { Ticker } from './ticker.ts';
import { TrafficRates } from './watch/traffic-rates.ts';
import { WatchHub } from './watch/watch-hub.ts';
import { WatchSource } from './watch/watch-source.ts';

/** A running coordinator. */
export interface Coordinator {
  /** Admin API and pages, `http://host:port`; `https` with TLS. */
  readonly url: string;
  /** URL for agents and workers, `ws://host:port`; `wss` with TLS. */
  readonly agentsUrl: string;
  /** Bound address of the listener for nodes of mod_cluster; absent without one. */
  readonly mcmpAddress?: ListenAddress;
  /** Bound host and port of the control port. */
  readonly address: ListenAddress;
  /** Read access for tests and for programs that embed a coordinator; changes use the admin API. */
  readonly registry: Registry;
  /** A new one-time link that logs in a browser; valid for an hour. */
  loginLink(): string;
  /** Warnings to the operator about the options. */
  readonly warnings: readonly string[];
  /** Reports the processes that the supervisor keeps running, and its replacements. A replacement is reported once, by its number. */
  reportProcesses(processes: readonly ProcessResource[], replaced: readonly ReplacedProcess[]): void;
  /**
   * Asks agents and workers to reconnect later, and closes all parts. A repeat waits for the first call. `isLost`: its supervisor has ended
   * without an order, so that the other coordinators have to report it as down. Default false.
   */
  close(end?: { readonly isLost?: boolean }): Promise<void>;
}

/** Upper bound of nodes. Twice as many connections are allowed, because new processes overlap with the old ones. */
const MAX_NODES = 10_000;
/** Interval of the samples for requests per second, milliseconds. */
const SAMPLE_MS = 1_000;

/**
 * Starts a coordinator. Resolves when it listens. Rejects if an address is taken, if options are invalid, or if it would listen
 * beyond loopback without a join token.
 */
export async function startCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const config = configOf(options);
  const { clocks, log, store } = config;
  const state = await StateDirectory.open({ path: config.stateDir, clocks, log });
  const closers: (() => void | Promise<void>)[] = [() => state.close()];
  let closing: Promise<void> | undefined;
  let isReady = false;
  let isLost = false;
  const ending = new AbortController();
  const closeAll = async (): Promise<void> => {
    isReady = false;
    ending.abort();
    for (const close of closers.reverse()) await close();
  };

  try {
    const tokens = await openTokens(config.stateDir, config, clocks);
    for (const problem of tokens.problems) log.warn(problem);
    await state.writeAll(tokens.unwritten, { isReplacing: !tokens.isUnread });
    // Other coordinators may have join tokens.
    if (config.sharing === undefined) refuseOpenDoors(config, tokens);
    refuseOpenMcmp(config);
    const audit = await Audit.open(
      config.stateDir,
      (error) => log.error(`the audit cannot be written: ${error.message}; its entries are kept and tried again`),
      () => log.warn({ lost: audit.lost }, 'the audit can be written again'),
    );
    closers.push(() => audit.close());
    const { heartbeatMs, suspectMs, leaseMs, learningMs, settleMs, quotas } = config;
    const startedAtMs = clocks.nowMs();
    const keptClusterId = await readClusterId(config.stateDir);
    const coordinatorId = await ownCoordinatorId(state);
    const registry = new Registry({
      heartbeatMs,
      suspectMs,
      leaseMs,
      learningMs,
      settleMs,
      maxNodes: MAX_NODES,
      maxNodesPerOwner: quotas.nodes,
      maxTokenlessNodes: quotas['tokenless-nodes'],
      maxBalancersPerOwner: quotas.balancers,
      maxHosts: quotas['balancer-hosts'],
      maxContexts: quotas['balancer-contexts'],
      startedAtMs,
      clusterId: keptClusterId,
      hashSeed: randomBytes(4).readUInt32LE(),
      isShared: config.sharing !== undefined,
    });
    const cluster = new Cluster(registry, clocks);
    const history = new History({
      cluster,
      log: new EventLog(clocks, await earlierEvents(audit.path)),
      audit,
      logger: log,
    });
    closers.push(() => history.close());
    const logins = new Logins(
      {
        tokens,
        clocks,
        save: (text) => state.writeAll(new Map([[loginsPath(config.stateDir), text]])),
      },
      await readLoginsFile(config.stateDir),
    );
    const gate = new Gate({
      tokens,
      logins,
      clocks,
      isControlOnLoopback: isLoopbackHost(config.listen.host),
      adminAllow: config.adminAllow,
      controlHosts: [
        ...config.controlHosts,
        ...(config.controlUrl === undefined ? [] : [new URL(config.controlUrl).hostname]),
      ],
    });
    const advertised = config.advertise === undefined ? undefined : addressOf(config.advertise);
    const listeners: PinnedAddress[] = [config.listen, config.agentsListen, advertised, ...config.ownListeners].filter(
      (listener) => listener !== undefined,
    );
    let onListening = (): void => {};
    const listening = new Promise<void>((resolve) => {
      onListening = resolve;
    });
    const policy = new NodeAddressPolicy({ nodeAllow: config.nodeAllow, ownListeners: () => listeners });
    const userAgent = `rollcall-probe/${config.version}`;
    const kinds = new ProbeKinds(cluster, { userAgent });
    const readyPaths = new ReadyPaths({ cluster, policy, userAgent });
    const prober = new Prober(cluster, { kinds, readyPaths });
    closers.push(() => prober.close());
    probeRestoredMembers({ cluster, policy, prober, history, listening });

    for (const { name, source, patch } of config.balancers) {
      const mistake = settingsMistake(patch, config.ownAlgorithms);
      if (mistake) throw new TypeError(`settings of balancer ${name}: ${mistake.message}`);
      const outcome = cluster.apply({ type: 'balancer-settings', name, source, patch, by: source });
      if ('type' in outcome) throw new TypeError(`settings of balancer ${name}: ${outcome.message}`);
    }
    const cookies = startSettingsMistake(config.balancers);
    if (cookies) throw new TypeError(`settings of balancer ${cookies.name}: ${cookies.mistake}`);
    const keepClusterId = (id: string): Promise<void> =>
      state.writeAll(new Map([[clusterIdPath(config.stateDir), `${id}\n`]]));
    let onCoordinators = (_: readonly CoordinatorResource[]): void => {};
    const sharedSync =
      config.sharing &&
      new SharedSync({
        ...config.sharing,
        cluster,
        coordinator: coordinatorId,
        name: config.name,
        release: config.version,
        logger: log,
        clusterId: keptClusterId,
        onClusterId: keepClusterId,
        url: config.advertise,
        onCoordinators: (coordinators) => onCoordinators(coordinators),
      });
    if (sharedSync) closers.push(() => sharedSync.close({ isLost }));
    let onTokensChange = (): void => {};
    const sharedTokens =
      sharedSync &&
      new SharedTokens({ tokens, sync: sharedSync, clocks, logger: log, onChange: () => onTokensChange() });
    await sharedSync?.introduce();
    const isKept = store.kind !== 'memory' || state.problem === undefined;
    const storeSync = new StoreSync({
      store,
      cluster,
      logger: log,
      // The clusters of several coordinators have the id of their shared memory.
      ...(sharedSync === undefined && { clusterId: keptClusterId ?? newClusterId(config.listen, isKept) }),
      hasClusterId: sharedSync === undefined,
      onClusterId: async (id) => {
        if (keptClusterId !== undefined && keptClusterId !== id)
          log.warn(`the store has the cluster id ${id}, not ${keptClusterId} of this coordinator, and is followed`);
        if (keptClusterId !== id) await keepClusterId(id);
      },
    });
    closers.push(() => storeSync.close());
    await storeSync.start();
    await sharedSync?.start();
    if (sharedSync !== undefined) refuseOpenDoors(config, tokens);
    const open = new OpenConnections({ gate, tokens, cluster });
    closers.push(() => open.close());
    onTokensChange = (): void => {
      open.look();
      if (!tokens.isUnread) void state.writeAll(tokens.files);
    };
    if (sharedSync !== undefined) onTokensChange();

    const epoch = randomBytes(12).toString('base64url');
    const registrations = new RegistrationPace(quotas.registrations, clocks);
    closers.push(() => registrations.close());
    const announced = new AnnouncedCoordinators(config.advertise);
    const agents = new AgentServer({
      cluster,
      gate,
      tokens,
      open,
      policy,
      prober,
      history,
      epoch,
      coordinatorId,
      pace: registry.pace(),
      coordinatorUrl: config.advertise,
      announced,
      maxConnections: 2 * MAX_NODES,
      registrations,
      maxTokenlessConnections: quotas['tokenless-connections'],
    });
    onCoordinators = (coordinators) => agents.announce(coordinators);
    onCoordinators(sharedSync?.status.coordinators ?? []);
    const feed = new FeedServer({ cluster, gate, open, history, epoch, leaseMs, reach: () => policy.bounds() });
    const supervised = new SupervisedProcesses(history, () => config.clocks.nowUnixMs());
    const unread = new UnreadAnswers(clocks, (socket, why) => refusedConnection(history, 'answer', socket, why));
    closers.push(() => unread.close());
    const idle = new IdleConnections(clocks, (socket, why) => refusedConnection(history, 'connection', socket, why));
    const ticker = new Ticker(cluster, (stalledMs) =>
      log.warn(`event loop blocked for ${Math.round(stalledMs)} ms; leases extended by ${Math.round(stalledMs)} ms`),
    );
    closers.push(() => ticker.close());
    const rates = new TrafficRates(cluster, feed.workers);
    const sampler = setInterval(() => {
      feed.workers.sample();
      rates.sample();
    }, SAMPLE_MS);
    closers.push(() => clearInterval(sampler));
    const source = new WatchSource({ cluster, rates, verdict: () => clusterVerdict(dependencies) });
    const watch = new WatchHub({ clocks, epoch, state: (before) => source.state(before) });
    history.log.listen(() => watch.event());
    closers.push(() => watch.close());

    let address: ListenAddress = config.listen;
    const schemes = config.tls ? (['https', 'wss'] as const) : (['http', 'ws'] as const);
    const controlUrl = (): string => config.controlUrl ?? urlOf(schemes[0], address);
    let mcmp: McmpServer | undefined;
    const dependencies: Dependencies = {
      config,
      cluster,
      answers: new SharedAnswers(cluster),
      agents,
      feed,
      supervised,
      history,
      gate,
      logins,
      policy,
      prober,
      readyPaths,
      registrations,
      storeSync,
      sharedSync,
      sharedTokens,
      unread,
      idle,
      state,
      tokens,
      open,
      mcmp: () => mcmp,
      epoch,
      startedAtUnixMs: Math.floor(clocks.nowUnixMs()),
      controlUrl,
      isReady: () => isReady,
      ending: ending.signal,
      problemTimes: new ProblemTimes(),
      watch,
    };
    const stopLooking = keepLooking(dependencies);
    closers.push(stopLooking);
    const app = await createAdminApp(dependencies);
    closers.push(
      () => app.close(),
      () => closeServer(app.server),
    );
    const tlsPorts = config.tls && new ControlTlsPorts({ tls: config.tls, clocks, log });
    tlsPorts?.watch(app.server);
    const proxies = new CidrList(config.controlTrustedProxies);
    believeProxies(app.server, proxies);
    routeUpgrades(app.server, agents, feed);
    unread.watch(app.server);
    idle.watch(app.server);
    address = await listen(app.server, config.listen);
    listeners.push(address);
    let agentsAddress = address;
    if (config.agentsListen) {
      const server = createUpgradeServer(config.tls);
      tlsPorts?.watch(server);
      believeProxies(server, proxies);
      closers.push(() => closeServer(server));
      routeUpgrades(server, agents, feed);
      unread.watch(server);
      idle.watch(server);
      agentsAddress = await listen(server, config.agentsListen);
      listeners.push(agentsAddress);
    }
    if (config.mcmp) {
      const parts = { cluster, policy, prober, history, tokens, open, feed, log, tls: config.tls };
      mcmp = await McmpServer.start(config.mcmp, parts);
      closers.push(() => mcmp?.close());
      tlsPorts?.watch(mcmp.listener.server);
      listeners.push(mcmp.listener.address);
      const { address: mcmpAddress } = mcmp.listener;
      log.info(`MCMP listener at ${addressText(mcmpAddress)}`);
      const { advertise } = config.mcmp;
      if (advertise) {
        const isTls = config.tls !== undefined;
        const advertiser = await startAdvertiser(advertise, { clocks, log, port: mcmpAddress.port, isTls });
        closers.push(() => advertiser.close());
      }
    }
    await policy.learnNames();
    onListening();
    // Before the servers, because they wait for the end of every upgraded connection.
    closers.push(
      () => tlsPorts?.close(),
      () => agents.close(),
      () => feed.close(),
    );
    isReady = true;
    const warnings = clearTextAdvice(config);
    for (const warning of warnings) log.warn(warning);
    log.info({ epoch }, `control port at ${urlOf(schemes[0], address)}`);

    return {
      url: urlOf(schemes[0], address),
      agentsUrl: urlOf(schemes[1], agentsAddress),
      address,
      ...(mcmp && { mcmpAddress: mcmp.listener.address }),
      registry,
      warnings,
      reportProcesses: (processes, replaced) => supervised.report(processes, replaced),
      loginLink: () => loginUrl(controlUrl(), logins.newCode()),
      close: (end = {}) => {
        isLost = end.isLost === true;
        closing ??= closeAll();
        return closing;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Records a connection that was closed because its answer was not read. */
function refusedConnection(history: History, act: string, { remoteAddress = '' }: Socket, why: string): void {
  const address = parseIp(remoteAddress)?.toString();
  const fault = { code: 'rate-limited', message: `connection closed: ${why}` } as const;
  history.refused(act, fault, address === undefined ? {} : { address });
}

/** The IP address and port of a `ws://` or `wss://` address; `undefined` for a name, which can also be that of other machines. */
function addressOf(url: string): ListenAddress | undefined {
  const parsed = agentUrl(url);
  if (parsed === undefined) return undefined;
  const { hostname, port, protocol } = new URL(parsed);
  if (parseIp(hostname) === undefined) return undefined;
  return { host: hostname, port: port === '' ? (protocol === 'wss:' ? 443 : 80) : Number(port) };
}

function addressText({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** MCMP has no tokens: beyond loopback the addresses or the certificates of nodes must be known. */
function refuseOpenMcmp({ mcmp, tls }: Config): void {
  if (mcmp === undefined || isLoopbackHost(mcmp.listen.host)) return;
  if ((mcmp.allow ?? []).length > 0 || tls?.asksClients === true) return;
  throw new Error(
    `refusing to listen on ${addressText(mcmp.listen)} for MCMP: every peer could register nodes; name their addresses with --mcmp-allow, or require client certificates with --control-client-ca`,
  );
}

/** A control port beyond loopback must authenticate its agents. */
function refuseOpenDoors(config: Config, tokens: Tokens): void {
  for (const address of [config.listen, config.agentsListen])
    if (address && !isLoopbackHost(address.host) && !tokens.isJoinTokenNeeded)
      throw new Error(
        `refusing to listen on ${address.host}:${address.port} without a join token: every peer could register nodes; set ROLLCALL_JOIN_TOKEN, or listen on 127.0.0.1 and create one with \`rollcall token create NAME --role join\``,
      );
}
