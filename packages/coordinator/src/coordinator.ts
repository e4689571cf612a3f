/** Builds a coordinator from its parts, in order, and takes it apart again in reverse. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Registry } from '@rollcall/core';
import type { ProcessResource, ReplacedProcess } from '@rollcall/protocol';
import { createAdminApp } from './admin/app.ts';
import { settingsMistake } from './admin/balancers.ts';
import { loginUrl } from './admin/login.ts';
import { SharedAnswers } from './admin/shared-answers.ts';
import type { Surroundings } from './admin/surroundings.ts';
import { AgentServer } from './agents/agent-server.ts';
import { NodeAddressPolicy, type PinnedAddress } from './agents/node-address-policy.ts';
import { ProbeKinds } from './agents/probe-kinds.ts';
import { Prober } from './agents/prober.ts';
import { RegistrationPace } from './agents/registration-pace.ts';
import { probeRestoredMembers } from './agents/restored-members.ts';
import { Gate } from './auth/gate.ts';
import { Logins, loginsPath, readLoginsFile } from './auth/logins.ts';
import { OpenConnections } from './auth/open-connections.ts';
import { openTokens, type Tokens } from './auth/tokens.ts';
import { Cluster } from './cluster.ts';
import { type Config, type CoordinatorOptions, configOf, type ListenAddress } from './config.ts';
import { Audit } from './events/audit.ts';
import { EventLog } from './events/event-log.ts';
import { History } from './events/history.ts';
import { FeedServer } from './feed/feed-server.ts';
import { StateDirectory } from './files/state-directory.ts';
import { CidrList, isLoopbackHost, parseIp } from './network/addresses.ts';
import { clearTextAdvice } from './network/clear-text.ts';
import { closeServer, createUpgradeServer, listen, routeUpgrades, urlOf } from './network/control-server.ts';
import { ControlTlsPorts } from './network/control-tls.ts';
import { IdleConnections } from './network/idle-connections.ts';
import { believeProxies } from './network/peer.ts';
import { UnreadAnswers } from './network/unread-answers.ts';
import { SupervisedProcesses } from './supervised-processes.ts';
import { StoreSync } from './sync/store-sync.ts';
import { Ticker } from './ticker.ts';

/** A running coordinator. */
export interface Coordinator {
  /** Admin API and pages, `http://host:port`; `https` with TLS. */
  readonly url: string;
  /** Where agents and workers connect, `ws://host:port`; `wss` with TLS. */
  readonly agentsUrl: string;
  /** Host and port of the control port as taken. */
  readonly address: ListenAddress;
  /** Read access for tests and for whoever embeds a coordinator; changes go through the admin API. */
  readonly registry: Registry;
  /** A new one-time link that logs a browser in; good for an hour. */
  loginLink(): string;
  /** Sentences for the operator about how it was started. */
  readonly warnings: readonly string[];
  /** The processes that the supervisor keeps running, and those it has replaced; a replacement that was reported before is known by its number. */
  reportProcesses(processes: readonly ProcessResource[], replaced: readonly ReplacedProcess[]): void;
  /** Tells agents and workers to come back later, and ends everything. A repeat waits for the first. */
  close(): Promise<void>;
}

/** Nodes one coordinator holds; connections may be twice as many while processes replace each other. */
const MAX_NODES = 10_000;
/** Between two samples for requests per second, milliseconds. */
const SAMPLE_MS = 1_000;

/**
 * Starts a coordinator. Resolves when it listens. Rejects when an address is taken, options make no sense, or it would
 * listen beyond loopback without a join token.
 */
export async function startCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const config = configOf(options);
  const { clocks, log, store } = config;
  const state = await StateDirectory.open({ path: config.stateDir, clocks, log });
  const closers: (() => void | Promise<void>)[] = [() => state.close()];
  let closing: Promise<void> | undefined;
  let isReady = false;
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
    refuseOpenDoors(config, tokens);
    const audit = await Audit.open(
      config.stateDir,
      (error) => log.error(`the audit cannot be written: ${error.message}; its entries are kept and tried again`),
      () => log.warn({ lost: audit.lost }, 'the audit can be written again'),
    );
    closers.push(() => audit.close());
    const { heartbeatMs, suspectMs, leaseMs, learningMs, settleMs, quotas } = config;
    const startedAtMs = clocks.nowMs();
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
      hashSeed: randomBytes(4).readUInt32LE(),
    });
    const cluster = new Cluster(registry, clocks);
    const history = new History({ cluster, log: new EventLog(clocks), audit, logger: log });
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
    const kinds = new ProbeKinds(cluster, { userAgent: `rollcall-probe/${config.version}` });
    const prober = new Prober(cluster, { kinds });
    closers.push(() => prober.close());
    probeRestoredMembers({ cluster, policy, prober, history, listening });

    for (const { name, source, patch } of config.balancers) {
      const mistake = settingsMistake(patch, config.ownAlgorithms);
      if (mistake) throw new TypeError(`settings of balancer ${name}: ${mistake.message}`);
      cluster.apply({ type: 'balancer-settings', name, source, patch, by: source });
    }
    const storeSync = new StoreSync({ store, cluster, logger: log });
    closers.push(() => storeSync.close());
    await storeSync.start();
    const open = new OpenConnections({ gate, tokens, cluster });
    closers.push(() => open.close());

    const epoch = randomBytes(12).toString('base64url');
    const registrations = new RegistrationPace(quotas.registrations, clocks);
    closers.push(() => registrations.close());
    const agents = new AgentServer({
      cluster,
      gate,
      tokens,
      open,
      policy,
      prober,
      history,
      epoch,
      pace: registry.pace(),
      coordinators: config.advertise === undefined ? [] : [config.advertise],
      maxConnections: 2 * MAX_NODES,
      registrations,
      maxTokenlessConnections: quotas['tokenless-connections'],
    });
    const feed = new FeedServer({ cluster, gate, open, history, epoch, leaseMs, reach: () => policy.bounds() });
    const supervised = new SupervisedProcesses(history);
    const unread = new UnreadAnswers(clocks, (socket, why) => refusedConnection(history, 'answer', socket, why));
    closers.push(() => unread.close());
    const idle = new IdleConnections(clocks, (socket, why) => refusedConnection(history, 'connection', socket, why));
    const ticker = new Ticker(cluster, (stalledMs) =>
      log.warn(`event loop blocked for ${Math.round(stalledMs)} ms; leases extended by ${Math.round(stalledMs)} ms`),
    );
    closers.push(() => ticker.close());
    const sampler = setInterval(() => feed.workers.sample(), SAMPLE_MS);
    closers.push(() => clearInterval(sampler));

    let address: ListenAddress = config.listen;
    const schemes = config.tls ? (['https', 'wss'] as const) : (['http', 'ws'] as const);
    const controlUrl = (): string => config.controlUrl ?? urlOf(schemes[0], address);
    const around: Surroundings = {
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
      registrations,
      storeSync,
      unread,
      idle,
      state,
      tokens,
      open,
      epoch,
      startedAtUnixMs: Math.floor(clocks.nowUnixMs()),
      controlUrl,
      isReady: () => isReady,
      ending: ending.signal,
    };
    const app = await createAdminApp(around);
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
    await policy.learnNames();
    onListening();
    // Before the servers: those wait for every upgraded connection to end.
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
      registry,
      warnings,
      reportProcesses: (processes, replaced) => supervised.report(processes, replaced),
      loginLink: () => loginUrl(controlUrl(), logins.newCode()),
      close: () => {
        closing ??= closeAll();
        return closing;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** A connection that was closed because its answer was not read. */
function refusedConnection(history: History, act: string, { remoteAddress = '' }: Socket, why: string): void {
  const address = parseIp(remoteAddress)?.toString();
  const fault = { code: 'rate-limited', message: `connection closed: ${why}` } as const;
  history.refused(act, fault, address === undefined ? {} : { address });
}

/** The IP address and port of a `ws://` or `wss://` address; `undefined` for a name, which may stand for other machines as well. */
function addressOf(url: string): ListenAddress | undefined {
  if (!URL.canParse(url)) return undefined;
  const { hostname, port, protocol } = new URL(url);
  if (parseIp(hostname) === undefined) return undefined;
  return { host: hostname, port: port === '' ? (protocol === 'wss:' ? 443 : 80) : Number(port) };
}

/** A control port that strangers reach must know its agents. */
function refuseOpenDoors(config: Config, tokens: Tokens): void {
  for (const address of [config.listen, config.agentsListen])
    if (address && !isLoopbackHost(address.host) && !tokens.isJoinTokenNeeded)
      throw new Error(
        `refusing to listen on ${address.host}:${address.port} without a join token: every peer could register nodes; set ROLLCALL_JOIN_TOKEN, or listen on 127.0.0.1 and make one with \`rollcall token create NAME --role join\``,
      );
}
