/**
 * The local socket of a node. One process connects to the coordinators. The processes that serve the node's port report to
 * this process over the socket. They use the agent protocol, with this socket as their coordinator.
 *
 * ```
 *   program with the SDK ──register · heartbeat · status · leave──▶ NodeSocket ──▶ Agent ──▶ coordinators
 *                        ◀──registered · status · drained · disconnected · error──
 * ```
 */
import { timingSafeEqual } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { CoordinatorMessage, Fault, NodeRegistration, RegisteredMessage } from '@rollcall/protocol';
import { AGENT_PATH, AGENT_SUBPROTOCOL, MAX_FRAME_BYTES } from '@rollcall/protocol';
import type { HeartbeatReport } from '../heartbeats.ts';
import { isWorthReporting } from '../load/worth-reporting.ts';
import type { Timers } from '../timers.ts';
import { WebSocketServer } from '../websocket.ts';
import { combinedReport, combinedStatus, type RequestedStatus } from './combined.ts';
import type { NodeSocketName } from './node-socket-name.ts';
import type { Refusal } from './refusal.ts';
import { Reporter } from './reporter.ts';

/** Events of the reporting processes. */
export interface NodeSocketListener {
  /** Decides whether a registering process belongs to the node. A fault is sent to the process, which is then not part of it. */
  judge(node: NodeRegistration): Fault | undefined;
  /** A process has registered, or registered again. */
  onRegistered(node: NodeRegistration): void;
  /** The connection of a registered process has ended. `hasLeft`: the process has sent `leave`. */
  onEnd(hasLeft: boolean): void;
  /** The numbers differ enough from the last `report` to send a heartbeat early. */
  onNews(): void;
  /** The requested status of a process has changed: see `requestedStatus`. */
  onRequestedStatus(): void;
}

export interface NodeSocketOptions {
  readonly name: NodeSocketName;
  readonly timers: Timers;
  readonly listener: NodeSocketListener;
}

/** Maximum number of reporting processes. */
const MAX_REPORTERS = 1_024;
/** Numbers older than this many heartbeat intervals are not reported. */
const STALE_HEARTBEATS = 3;
const GOING_AWAY = 1001;

export class NodeSocket {
  readonly #options: NodeSocketOptions;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #reporters = new Set<Reporter>();
  #registered: RegisteredMessage | undefined;
  #needsScales = true;
  #reported: HeartbeatReport = {};
  #isOpen = true;
  /** False during a leader election: requests get 409 then, upgrades 503. */
  isLeading = true;

  private constructor(options: NodeSocketOptions) {
    this.#options = options;
    this.#server = createServer((_request, response) => {
      response.writeHead(this.isLeading ? 426 : 409).end();
    });
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
    this.#server.on('connection', (socket) => socket.unref());
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Listens, for this user only. Rejects if the path is in use or cannot be created. Does not keep the process alive. */
  static async listen(options: NodeSocketOptions): Promise<NodeSocket> {
    const socket = new NodeSocket(options);
    const { path } = options.name;
    await new Promise<void>((resolve, reject) => {
      socket.#server.once('error', reject);
      // Exclusive: otherwise the primary process of node:cluster would listen instead of its worker.
      socket.#server.listen({ path, exclusive: true }, resolve);
    });
    socket.#server.unref();
    socket.#server.on('error', () => undefined);
    chmodSync(path, 0o600);
    return socket;
  }

  /** Registrations of the registered processes, in the order of their connections. */
  get nodes(): readonly NodeRegistration[] {
    return [...this.#reporters].map(({ node }) => node).filter((node) => node !== undefined);
  }

  /** Whether a process has connected and not registered yet. */
  get isExpecting(): boolean {
    return [...this.#reporters].some(({ node }) => node === undefined);
  }

  /** The combined status requested by all processes. */
  get requestedStatus(): RequestedStatus {
    return combinedStatus(this.#members.map(({ requestedStatus }) => requestedStatus));
  }

  /** The combined numbers of all processes; `undefined` if all of them are stale. */
  report(): HeartbeatReport | undefined {
    const report = this.#combined(this.#needsScales);
    if (report === undefined) return undefined;
    this.#needsScales = false;
    this.#reported = report;
    return report;
  }

  #combined(withScales: boolean): HeartbeatReport | undefined {
    const maxAgeMs = STALE_HEARTBEATS * (this.#registered?.heartbeatMs ?? 1_000);
    const reports = this.#members
      .map((reporter) => reporter.report(maxAgeMs, withScales))
      .filter((report) => report !== undefined);
    return reports.length === 0 ? undefined : combinedReport(reports);
  }

  /** Forwards the registration after a coordinator has accepted the node, without warnings and coordinators. */
  registered(message: RegisteredMessage): void {
    this.#registered = { ...message, coordinators: [], warnings: [] };
    this.#needsScales = true;
    this.send(this.#registered);
  }

  /** Reports that the connection to all coordinators is lost. */
  disconnected(message: string): void {
    this.#registered = undefined;
    this.send({ type: 'disconnected', message });
  }

  /** Sends `message` to all registered processes. */
  send(message: CoordinatorMessage): void {
    for (const reporter of this.#members) reporter.send(message);
  }

  /** Reports to draining and stopping processes that the requested status is complete. */
  drained(): void {
    for (const reporter of this.#members)
      if (reporter.requestedStatus.status !== 'enabled') reporter.send({ type: 'drained' });
  }

  /** Closes all connections with `fault`, after a permanent refusal of the node. */
  refuse(fault: Refusal): void {
    for (const reporter of this.#reporters) reporter.refuse(fault, 4403);
  }

  /** Closes all connections; the processes reconnect to the next leader. A repeated call changes nothing. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#server.close();
    for (const reporter of this.#reporters) reporter.close(GOING_AWAY);
    this.#sockets.close();
  }

  get #members(): readonly Reporter[] {
    return [...this.#reporters].filter(({ node }) => node !== undefined);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusal(request);
    if (refusal !== undefined) {
      socket.on('error', () => undefined);
      socket.end(`HTTP/1.1 ${refusal} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    const { timers, listener } = this.#options;
    this.#sockets.handleUpgrade(request, socket, head, (ws) => {
      const reporter = new Reporter(ws, timers, {
        judge: (node) => listener.judge(node),
        onRegistered: ({ node }) => {
          this.#needsScales = true;
          if (this.#registered !== undefined) reporter.send(this.#registered);
          listener.onRegistered(node!);
        },
        onReport: () => this.#onReport(),
        onRequestedStatus: () => this.#onRequestedStatus(reporter),
        onEnd: (_, hasLeft) => {
          this.#reporters.delete(reporter);
          if (reporter.node === undefined) return;
          this.#needsScales = true;
          listener.onEnd(hasLeft);
        },
      });
      this.#reporters.add(reporter);
    });
  }

  #onReport(): void {
    const now = this.#combined(false);
    if (now === undefined) return;
    if (isWorthReporting(this.#reported, now) || now.ready !== this.#reported.ready) this.#options.listener.onNews();
  }

  /** The drain of one process is complete at once while another process serves the port, because the cluster continues to send requests. */
  #onRequestedStatus(reporter: Reporter): void {
    if (reporter.requestedStatus.status !== 'enabled' && this.requestedStatus.status === 'enabled')
      reporter.send({ type: 'drained' });
    this.#options.listener.onRequestedStatus();
  }

  #refusal(request: IncomingMessage): number | undefined {
    if (request.url !== AGENT_PATH) return 404;
    if (!isSame(request.headers.authorization ?? '', `Bearer ${this.#options.name.secret}`)) return 401;
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((text) => text.trim());
    if (!offered.includes(AGENT_SUBPROTOCOL)) return 426;
    return this.#isOpen && this.isLeading && this.#reporters.size < MAX_REPORTERS ? undefined : 503;
  }
}

function isSame(given: string, wanted: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(wanted)];
  return left.length === right.length && timingSafeEqual(left, right);
}
