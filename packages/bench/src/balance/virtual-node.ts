/** One node of a pass: a real server on a virtual core, which tells how busy that is in the ways balancers ask. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net';
import { Agent, agentUrl, newInstance, toRegistration } from '@rollcall/agent';
import type { NodeCount, NodeOrder, NodePorts } from './messages.ts';
import { DEADLINE_MS } from './scenario.ts';
import { SessionsSeen } from './sessions-seen.ts';
import { type CpuTimers, VirtualCpu } from './virtual-cpu.ts';

/** Request field with the work of a request, milliseconds at speed 1; without it a request is none, as a probe is. */
export const WORK_FIELD = 'x-work-ms';
/** Request field that names the session. */
export const VISITOR_FIELD = 'x-visitor';
/** Response field with the number of the node. */
export const NODE_FIELD = 'x-node';

const SAMPLE_MS = 250;
/** Samples that make up the utilisation that is told: one second. */
const WINDOW = 4;
/** Change of load that is worth telling before its time, as agents do. */
const LOAD_STEP = 0.1;
/** Weight of the newest request in the service time that is told. */
const ALPHA = 0.1;
/** Longer than any pass: nobody's connection is closed for being idle. */
const KEEP_ALIVE_MS = 3_600_000;
const FAILS_WITHIN_MS = 1;
/** A node that leaves without an agent goes when it has been idle so long, or has waited as long as an agent would. */
const QUIET_MS = 500;
const LEAVE_MS = 8_000;

export const systemCpuTimers: CpuTimers = {
  nowMs: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

export class VirtualNode {
  readonly #number: number;
  readonly #speed: number;
  readonly #cpu: VirtualCpu;
  readonly #http: Server;
  readonly #check: NetServer;
  readonly #sessions: SessionsSeen;
  readonly #busy: { readonly atMs: number; readonly busyMs: number }[] = [{ atMs: performance.now(), busyMs: 0 }];
  readonly #sampler: NodeJS.Timeout;
  #agent: Agent | undefined;
  #isFailing = false;
  #inFlight = 0;
  #utilisation = 0;
  #toldUtilisation = 0;
  #serviceMs = 0;
  #lastRequestAtMs = performance.now();
  #countFromMs = Number.POSITIVE_INFINITY;
  #countToMs = Number.POSITIVE_INFINITY;
  #requests = 0;
  #workMs = 0;
  #maxInFlight = 0;

  constructor({ number, speed }: NodeOrder, sessionIdleMs: number) {
    this.#sessions = new SessionsSeen(sessionIdleMs);
    this.#number = number;
    this.#speed = speed;
    this.#cpu = new VirtualCpu(speed, systemCpuTimers);
    this.#http = createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) =>
      this.#serve(request, response),
    );
    // HAProxy's agent check: a weight in percent of the configured one. @see its manual, "agent-check"
    this.#check = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(`${Math.max(1, Math.round(100 * (1 - this.#utilisation)))}%\n`);
    });
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  async listen(): Promise<NodePorts> {
    const [httpPort, checkPort] = await Promise.all([portOf(this.#http), portOf(this.#check)]);
    return { number: this.#number, httpPort, checkPort };
  }

  /** Becomes a node of a cluster. Resolves when it is one. */
  register(coordinator: string): Promise<void> {
    const instance = newInstance();
    const incarnation = Date.now();
    const { port } = this.#http.address() as AddressInfo;
    const id = `n${this.#number + 1}`;
    const agent = new Agent({
      coordinators: [agentUrl(coordinator)!],
      token: () => ({}),
      registration: (localAddress) =>
        toRegistration(
          { balancer: 'site' },
          {
            id,
            route: id,
            url: `http://${localAddress}:${port}`,
            instance,
            incarnation,
            cores: 1,
            loadHeader: true,
            keepAliveMs: KEEP_ALIVE_MS,
          },
        ),
      report: () => {
        this.#toldUtilisation = this.#utilisation;
        return {
          load: this.#utilisation,
          inFlight: this.#inFlight,
          serviceMs: this.#serviceMs,
          sessions: this.#sessions.count(performance.now()),
        };
      },
    });
    this.#agent = agent;
    return new Promise((resolve, reject) => {
      agent.on('registered', () => resolve());
      agent.on('error', ({ message }) => reject(new Error(message)));
      agent.on('warning', ({ message }) => process.stderr.write(`${id}: ${message}\n`));
      agent.start();
    });
  }

  /** `factor` times its own speed from now on; 0: it fails. */
  setFactor(factor: number): void {
    this.#isFailing = factor === 0;
    if (factor > 0) this.#cpu.setSpeed(this.#speed * factor);
  }

  /** Counts what comes between two instants of this process's clock. */
  countBetween(fromMs: number, toMs: number): void {
    this.#countFromMs = fromMs;
    this.#countToMs = toMs;
  }

  count(): NodeCount {
    return {
      number: this.#number,
      requests: this.#requests,
      workMs: this.#workMs,
      maxInFlight: this.#maxInFlight,
    };
  }

  /** Serves on until nothing more comes, as far as somebody can tell, and then closes everything. */
  async leave(): Promise<void> {
    if (this.#agent !== undefined) {
      await this.#agent.drain({ reason: 'it leaves' });
      await this.#agent.leave();
    } else await this.#quiet();
    this.close();
  }

  close(): void {
    clearInterval(this.#sampler);
    this.#http.close();
    this.#http.closeAllConnections();
    this.#check.close();
    this.#cpu.close();
    void this.#agent?.leave();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    response.setHeader(NODE_FIELD, this.#number);
    const workMs = Number(request.headers[WORK_FIELD]);
    if (!(workMs > 0)) {
      response.end('up\n');
      return;
    }
    const nowMs = performance.now();
    const visitor = request.headers[VISITOR_FIELD];
    if (typeof visitor === 'string') this.#sessions.see(visitor, nowMs);
    this.#lastRequestAtMs = nowMs;
    this.#inFlight++;
    const isCounted = nowMs >= this.#countFromMs && nowMs < this.#countToMs;
    if (isCounted) {
      this.#requests++;
      this.#workMs += workMs;
      this.#maxInFlight = Math.max(this.#maxInFlight, this.#inFlight);
    }
    response.once('close', () => {
      this.#inFlight--;
      this.#lastRequestAtMs = performance.now();
    });
    if (this.#isFailing) {
      response.statusCode = 500;
      setTimeout(() => {
        this.#served(FAILS_WITHIN_MS);
        this.#answer(response);
      }, FAILS_WITHIN_MS);
      return;
    }
    // Whoever has waited so long has gone, told by its balancer or not.
    const isWanted = (): boolean => !response.destroyed && performance.now() - nowMs < DEADLINE_MS;
    this.#cpu.submit(workMs, isWanted, (serviceMs) => {
      if (serviceMs > 0) this.#served(serviceMs);
      this.#answer(response);
    });
  }

  /** Time in service as agents tell it, whatever the answer was: one that fails at once is a short one. */
  #served(serviceMs: number): void {
    this.#serviceMs += (this.#serviceMs === 0 ? 1 : ALPHA) * (serviceMs - this.#serviceMs);
  }

  #answer(response: ServerResponse): void {
    if (response.destroyed) return;
    if (this.#agent !== undefined) response.setHeader('rollcall-load', this.#loadField());
    response.end('done\n');
  }

  /** @see PROTOCOL.md section 6 */
  #loadField(): string {
    const sessions = this.#sessions.count(performance.now());
    return `${this.#inFlight};${this.#serviceMs.toFixed(2)};${this.#utilisation.toFixed(3)};${sessions}`;
  }

  #sample(): void {
    const nowMs = performance.now();
    const busyMs = this.#cpu.busyMs();
    const oldest = this.#busy[0]!;
    this.#busy.push({ atMs: nowMs, busyMs });
    if (this.#busy.length > WINDOW) this.#busy.shift();
    this.#utilisation = Math.min(1, (busyMs - oldest.busyMs) / (nowMs - oldest.atMs));
    if (Math.abs(this.#utilisation - this.#toldUtilisation) >= LOAD_STEP) this.#agent?.reportSoon();
  }

  /** Resolves when no request has been here for a while, or after as long as an agent waits. */
  #quiet(): Promise<void> {
    const untilMs = performance.now() + LEAVE_MS;
    return new Promise((resolve) => {
      const look = (): void => {
        const nowMs = performance.now();
        const isQuiet = this.#inFlight === 0 && nowMs - this.#lastRequestAtMs >= QUIET_MS;
        if (isQuiet || nowMs >= untilMs) resolve();
        else setTimeout(look, 50);
      };
      look();
    });
  }
}

function portOf(server: NetServer): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
