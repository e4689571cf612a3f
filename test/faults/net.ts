/**
 * The network of one scenario: a front (coordinator, workers, client) and one host for each node. Each has its own network
 * namespace; pairs of virtual interfaces join them. Runs inside a sandbox (`sandbox.ts`).
 *
 *   front 10.77.0.100 (.101 worker 1, .102 worker 2) ── v1 ══ eth0 ── host 1 10.77.0.1
 *                                                    └─ v2 ══ eth0 ── host 2 10.77.0.2 …
 *
 * Faults are filters for arriving packets at both ends. Outgoing packets are not filtered: the kernel reports a filtered
 * outgoing packet to its sender, and a real network does not.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';

export const FRONT = '10.77.0.100';
export const CONTROL_PORT = 8400;
export const PROXY_PORT = 8080;
/** Port of the program of each host. */
export const NODE_PORT = 3000;
const RESET = 'counter reject with tcp reset';

/**
 * Effect on packets of the agent connections. `drop`: they are lost. `reset`: connects succeed, and the first octets are
 * answered by a reset. `refuse`: connects are refused and open connections are reset.
 */
export type LinkFault = 'drop' | 'reset' | 'refuse';

/** Faults between the front and one host. */
export interface HostFaults {
  agentLinks?: LinkFault | undefined;
  /** Nothing passes. */
  isCut?: boolean;
  /** New connects get no answer and the host sends no reset; open connections may still be closed. */
  refusesNothing?: boolean;
  /** This worker reaches nothing on the host: 1, 2, … */
  cutWorker?: number | undefined;
}

/** The address from which a worker connects to nodes. */
export function workerAddress(worker: number): string {
  return `10.77.0.${100 + worker}`;
}

/** A network namespace, held by a process that sleeps. */
class Host {
  readonly faults: HostFaults = {};
  /** Filters that are in force on it. */
  rules: readonly string[] = [];
  /** These filters have met a packet, perhaps before another was added. */
  hasMetPackets = false;
  readonly #holder: ChildProcess;

  constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  /** Arguments of `nsenter` before a command to be run on this host. */
  get enter(): readonly string[] {
    return [`--net=/proc/${this.#holder.pid}/ns/net`, '--'];
  }

  get pid(): number {
    return this.#holder.pid!;
  }
}

export class Net {
  /** Faults that did nothing, one sentence each: their filters have met no packet. */
  readonly idle: string[] = [];
  readonly #hosts = new Map<string, Host>();
  /** Ends with the last change of filters. */
  #lastChange: Promise<void> = Promise.resolve();

  private constructor() {}

  /** Builds the front. Call `host` for each node. */
  static async create(): Promise<Net> {
    await run('ip', ['link', 'set', 'lo', 'up']);
    for (const address of [FRONT, workerAddress(1), workerAddress(2)])
      await run('ip', ['addr', 'add', `${address}/32`, 'dev', 'lo']);
    return new Net();
  }

  /** Adds the host with address 10.77.0.`number`. A spare one is connected but gets no packets until `giveAddress`. */
  async host(name: string, number: number, isSpare = false): Promise<void> {
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout!, 'data');
    const host = new Host(holder);
    this.#hosts.set(name, host);
    const [link, address] = [linkOf(name), addressOf(number)];
    await run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(host.pid)]);
    await run('ip', ['link', 'set', link, 'up']);
    const inside = [
      'ip link set lo up',
      `ip addr add ${address}/32 dev eth0`,
      'ip link set eth0 up',
      ...[FRONT, workerAddress(1), workerAddress(2)].map((front) => `ip route add ${front}/32 dev eth0 src ${address}`),
    ];
    await run('nsenter', [...host.enter, 'sh', '-c', inside.join(' && ')]);
    if (!isSpare) await this.#route(name, number);
  }

  /** Sends what goes to 10.77.0.`number` to the host `name` from now on. */
  async giveAddress(number: number, name: string, from: string): Promise<void> {
    await this.#route(name, number);
    await this.setFaults(from, number, { isCut: false, refusesNothing: false });
  }

  #route(name: string, number: number): Promise<string> {
    return run('ip', ['route', 'replace', `${addressOf(number)}/32`, 'dev', linkOf(name), 'src', FRONT]);
  }

  /** Starts a command on a host; on the front without one. */
  spawn(host: string | undefined, command: readonly string[], options: Parameters<typeof spawn>[2]): ChildProcess {
    const [first, ...rest] = host === undefined ? command : ['nsenter', ...this.#hosts.get(host)!.enter, ...command];
    return spawn(first!, rest, options);
  }

  /**
   * Changes the faults between front and host. They are in force when it resolves. One change after another: counters that are
   * read while another change is committed may be incomplete.
   */
  setFaults(name: string, number: number, change: HostFaults): Promise<void> {
    this.#lastChange = this.#lastChange.then(() => this.#setFaults(name, number, change));
    return this.#lastChange;
  }

  async #setFaults(name: string, number: number, change: HostFaults): Promise<void> {
    const host = this.#hosts.get(name)!;
    Object.assign(host.faults, change);
    const { atHost, atFront } = filters(host.faults, addressOf(number));
    await this.#count(name);
    // A filter that stays in force may meet its first packet later.
    if (!host.rules.every((rule) => atHost.includes(rule))) this.#noteIdle(name);
    await Promise.all([
      run('nft', ['-f', '-'], ruleset(name, atFront)),
      run('nsenter', [...host.enter, 'nft', '-f', '-'], ruleset(name, atHost)),
    ]);
    host.rules = atHost;
  }

  /** Waits for the last change, which may be late on a busy machine, and checks the filters that are still in force. */
  async end(): Promise<void> {
    await this.#lastChange;
    for (const name of this.#hosts.keys()) {
      await this.#count(name);
      this.#noteIdle(name);
    }
  }

  /** Reads the counters of the filters in force: a change of filters sets them to 0. */
  async #count(name: string): Promise<void> {
    const host = this.#hosts.get(name)!;
    if (host.rules.length === 0 || host.hasMetPackets) return;
    const list = ['nft', 'list', 'table', 'inet', `faults-${name}`];
    const rules = await Promise.all([run('nft', list.slice(1)), run('nsenter', [...host.enter, ...list])]);
    host.hasMetPackets = /counter packets [1-9]/.test(rules.join());
  }

  #noteIdle(name: string): void {
    const host = this.#hosts.get(name)!;
    if (host.rules.length > 0 && !host.hasMetPackets)
      this.idle.push(`the fault at ${name} met no packet: ${host.rules.join('; ')}`);
    host.hasMetPackets = false;
  }
}

/** The address of a host. */
export function addressOf(number: number): string {
  return `10.77.0.${number}`;
}

function linkOf(name: string): string {
  return `v-${name}`;
}

/** Rules for arriving packets at either end. */
function filters(faults: HostFaults, address: string): { readonly atHost: string[]; readonly atFront: string[] } {
  const atHost: string[] = [];
  const atFront: string[] = [];
  const agents = `tcp dport ${CONTROL_PORT}`;
  const back = `tcp sport ${CONTROL_PORT}`;
  if (faults.isCut) {
    atHost.push('iif eth0 counter drop');
    atFront.push(`ip saddr ${address} counter drop`);
  }
  if (faults.refusesNothing) {
    atHost.push('iif eth0 tcp flags & (syn | ack) == syn counter drop');
    atFront.push(`ip saddr ${address} tcp flags & rst == rst counter drop`);
  }
  if (faults.cutWorker !== undefined) {
    atHost.push(`ip saddr ${workerAddress(faults.cutWorker)} counter drop`);
    atFront.push(`ip saddr ${address} ip daddr ${workerAddress(faults.cutWorker)} counter drop`);
  }
  if (faults.agentLinks !== undefined) {
    const verdict = faults.agentLinks === 'drop' ? 'counter drop' : RESET;
    const which = faults.agentLinks === 'reset' ? 'tcp flags & psh == psh ' : '';
    atHost.push(`${back} ${which}${verdict}`);
    atFront.push(`ip saddr ${address} ${agents} ${which}${verdict}`);
  }
  return { atHost, atFront };
}

/** A table of this name with these rules, in place of the one before. */
function ruleset(name: string, rules: readonly string[]): string {
  const table = `inet faults-${name}`;
  const chain = ['type filter hook input priority 0', ...rules].join('\n');
  return `table ${table} {}\ndelete table ${table}\ntable ${table} {\nchain arriving {\n${chain}\n}\n}\n`;
}

function run(command: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, [...args], (error, stdout, stderr) =>
      error ? reject(new Error(`${command} ${args.join(' ')}: ${stderr || error.message}`)) : resolve(stdout),
    );
    if (input !== undefined) child.stdin?.end(input);
  });
}
