/**
 * The cluster that the abuse tests attack: a real `rollcall up` with one well-behaved node, the bystander. After each attack
 * `assertUnharmed` checks that the bystander is unchanged, that its traffic reaches it, and that the control process still answers.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { EventResource, NodeResource, Role, StatusResource } from '@rollcall/protocol';
import { Site, type SiteOptions, until } from '../site/site.ts';
import { Visitor } from '../site/visitor.ts';
import { AgentClient, type ConnectOptions, RawClient } from './client.ts';

/** Short enough that the heartbeats of the bystander arrive in time on a slow machine, milliseconds. */
const BEAT_MS = 500;
/** Fields that must not change in a node that did nothing. */
const FIXED = [
  'id',
  'balancer',
  'url',
  'route',
  'hosts',
  'contexts',
  'weight',
  'isStandby',
  'status',
  'incarnation',
  'meta',
  'load',
  'warnings',
] as const;

export class Target {
  readonly site: Site;
  readonly #closers: (() => unknown)[];
  #bystander: AgentClient | undefined;
  #beats: NodeJS.Timeout | undefined;
  #before: object = {};
  #epoch = '';

  private constructor(site: Site, closers: (() => unknown)[]) {
    this.site = site;
    this.#closers = closers;
  }

  /** Starts `up` and the bystander, which uses `token` where one is given. */
  static async start(options: SiteOptions & { readonly token?: string } = {}): Promise<Target> {
    const closers: (() => unknown)[] = [];
    const site = await Site.start({ after: (close) => closers.push(close) }, options);
    const target = new Target(site, closers);
    try {
      await target.#addBystander(options.token);
    } catch (error) {
      await target.close();
      throw error;
    }
    return target;
  }

  async close(): Promise<void> {
    clearInterval(this.#beats);
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  /** Serves `answer` on a port of its own; ends with the target. */
  async program(answer: http.RequestListener = (_, response) => response.end('program')): Promise<string> {
    const server = http.createServer(answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#closers.push(() => {
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** An agent connection; ends with the target. */
  async agent(options: ConnectOptions = {}): Promise<AgentClient> {
    const client = await AgentClient.connect(this.site.controlUrl, options);
    this.#closers.push(() => client.close());
    return client;
  }

  /** An agent connection of bare octets; ends with the target. */
  async raw(fields: Readonly<Record<string, string>> = {}): Promise<RawClient> {
    const client = await RawClient.agent(this.site.controlUrl, fields);
    this.#closers.push(() => client.close());
    return client;
  }

  /** Status with which an upgrade is refused. */
  async upgradeRefusal(options: ConnectOptions): Promise<string> {
    return this.agent(options).then(
      () => 'accepted',
      (error: Error) => error.message,
    );
  }

  /** A node of the attacker, with its own balancer, host and program. */
  async node(id: string, more: object = {}): Promise<Record<string, unknown>> {
    const url = await this.program((_, response) => response.end(id));
    return { id, balancer: 'attack', url, hosts: ['attack.test'], ...more };
  }

  /** Text of a page or resource, read as an administrator. */
  async read(path: string): Promise<string> {
    const headers = { authorization: `Bearer ${this.adminToken()}` };
    const response = await fetch(this.site.controlUrl + path, { headers });
    if (response.status !== 200) throw new Error(`${path}: ${response.status}`);
    return response.text();
  }

  resource(id: string): Promise<NodeResource | undefined> {
    return this.site.node(id);
  }

  async events(): Promise<readonly EventResource[]> {
    return (await this.site.admin<{ events: EventResource[] }>('GET', '/v1/events')).body.events;
  }

  adminToken(): string {
    return readFileSync(join(this.site.stateDir, 'admin-token'), 'utf8').trim();
  }

  /** Lines of the audit file. */
  audit(): readonly Readonly<Record<string, unknown>>[] {
    const text = readFileSync(join(this.site.stateDir, 'audit.jsonl'), 'utf8');
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Body of a GET through the proxy. */
  async visit(host: string, path = '/'): Promise<{ readonly status: number; readonly body: string }> {
    const visitor = new Visitor(this.site.proxyPort, { host });
    const { status, body } = await visitor.get(path);
    visitor.close();
    return { status, body };
  }

  /** No other node has changed, its traffic reaches it, and the same control process answers. */
  async assertUnharmed(): Promise<void> {
    assert.ok(this.#bystander!.isOpen, 'the connection of the bystander has ended');
    assert.equal((await fetch(`${this.site.controlUrl}/livez`)).status, 200);
    assert.equal(await this.#readEpoch(), this.#epoch, 'the control process was started again');
    await this.#untilServed();
    assert.deepEqual(pick(await this.resource('bystander')), this.#before);
    const errors = this.#bystander!.received.filter(({ type }) => type === 'error');
    assert.deepEqual(errors, []);
  }

  async #addBystander(token: string | undefined): Promise<void> {
    const url = await this.program((_, response) => response.end('bystander'));
    const agent = await this.agent(token === undefined ? {} : { token });
    await agent.register({
      id: 'bystander',
      balancer: 'bystander',
      url,
      hosts: ['bystander.test'],
      incarnation: 1_000,
    });
    this.#bystander = agent;
    const beat = (): void => agent.send({ type: 'heartbeat', load: 0.25 });
    beat();
    this.#beats = setInterval(beat, BEAT_MS);
    await until(async () => (await this.resource('bystander'))?.load === 0.25, 'no load of the bystander');
    await this.#untilServed();
    this.#before = pick(await this.resource('bystander'));
    this.#epoch = await this.#readEpoch();
  }

  async #untilServed(): Promise<void> {
    await until(async () => {
      if ((await this.resource('bystander'))?.liveness !== 'up') return false;
      const { status, body } = await this.visit('bystander.test');
      return status === 200 && body === 'bystander';
    }, 'the bystander is not up and served');
  }

  async #readEpoch(): Promise<string> {
    return (await this.site.admin<StatusResource>('GET', '/v1/status')).body.epoch;
  }
}

function pick(node: NodeResource | undefined): object {
  const fixed = Object.fromEntries(FIXED.map((name) => [name, node?.[name]]));
  return { ...fixed, wanted: node?.wanted.status, reported: node?.reported.status };
}

/** A token that `up` knows from its start. */
export interface GivenToken {
  readonly name: string;
  readonly role: Role;
  readonly token: string;
}

/** For `SiteOptions.prepare`: writes `tokens` where `up` reads them. */
export function withTokens(tokens: readonly GivenToken[]): (stateDir: string) => void {
  return (stateDir) => {
    const records = tokens.map(({ name, role, token }) => ({
      name,
      role,
      sha256: createHash('sha256').update(token).digest('hex'),
    }));
    mkdirSync(stateDir, { mode: 0o700, recursive: true });
    writeFileSync(join(stateDir, 'tokens.json'), JSON.stringify({ version: 1, tokens: records }), { mode: 0o600 });
  };
}
