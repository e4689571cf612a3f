/** Plays the agent's side of a transcript to a coordinator, and compares what the coordinator does. */
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { AGENT_SUBPROTOCOL, PROBE_FIELD, PROOF_FIELD } from '@rollcall/protocol';
import { WebSocket } from 'ws';
import type { Site } from '../site/site.ts';
import { Peer } from './peer.ts';
import { type Bindings, fill, type Message, match, type Transcript } from './transcript.ts';

const NODE_ID = 'sample-1';
/** Heartbeats between the recorded ones, milliseconds. */
const BEAT_MS = 500;

export async function replayAgent(t: TestContext, site: Site, { lines, name }: Transcript): Promise<void> {
  const player = new AgentPlayer(t, site);
  await player.start();
  for (const [index, line] of lines.entries()) {
    const where = `${name}:${index + 2}`;
    if ('open' in line) await player.open();
    else if ('others' in line) player.others(line.others);
    else if ('program' in line) continue;
    else if (line.from === 'agent') await player.send(line);
    else await player.expect(line, where);
  }
  await player.finish();
}

class AgentPlayer {
  readonly #t: TestContext;
  readonly #site: Site;
  readonly #bindings: Bindings = new Map();
  readonly #agentUrl: string;
  #peer: Peer | undefined;
  #isRegistered = false;
  #seq = 0;
  #act: Promise<unknown> = Promise.resolve();

  constructor(t: TestContext, site: Site) {
    this.#t = t;
    this.#site = site;
    this.#agentUrl = `${site.controlUrl.replace('http', 'ws')}/v1/agent`;
  }

  /** The program, which proves its instance. What an operator wanted of the node in an earlier transcript ends. */
  async start(): Promise<void> {
    const instance = randomBytes(16).toString('hex');
    const server = createServer((request, response) => {
      const nonce = request.headers[PROBE_FIELD];
      if (typeof nonce === 'string')
        response.setHeader(PROOF_FIELD, createHmac('sha256', instance).update(nonce).digest('hex'));
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const beats = setInterval(() => this.#beat(), BEAT_MS);
    this.#t.after(() => {
      clearInterval(beats);
      this.#peer?.socket.terminate();
      server.close();
      server.closeAllConnections();
    });
    await this.#site.admin('POST', `/v1/nodes/${NODE_ID}/enable`, {});
    this.#bindings.set('instance:a', instance);
    this.#bindings.set('url:a', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    this.#bindings.set('incarnation:a', Date.now());
  }

  async open(): Promise<void> {
    await this.#act;
    this.#isRegistered = false;
    this.#seq = 0;
    const socket = new WebSocket(this.#agentUrl, AGENT_SUBPROTOCOL);
    this.#peer = new Peer(socket);
    await once(socket, 'open');
  }

  async send(line: { readonly message: Message } | { readonly close: number }): Promise<void> {
    if ('close' in line) {
      this.#peer!.socket.close(line.close);
      return;
    }
    const message = fill(line.message, this.#bindings) as Message;
    this.#peer!.send(message.type === 'heartbeat' ? { ...message, seq: ++this.#seq } : message);
  }

  /** Messages of types that are not recorded here may come in between: a later coordinator may send more. */
  async expect(line: { readonly message: Message } | { readonly close: number }, where: string): Promise<void> {
    for (;;) {
      const received = await this.#peer!.next();
      if ('close' in line && 'close' in received) {
        assert.equal(received.close, line.close, where);
        return;
      }
      if ('close' in received) assert.fail(`${where}: closed with ${received.close}`);
      const { message } = received;
      if ('message' in line && message.type === line.message.type) {
        match(line.message, message, this.#bindings, where);
        if (message.type === 'registered') this.#isRegistered = true;
        return;
      }
      assert.notEqual(message.type, 'error', `${where}: ${JSON.stringify(message)}`);
    }
  }

  others(what: 'drain' | 'enable' | 'restart' | 'take-over'): void {
    this.#act = this.#act.then((): Promise<unknown> => {
      if (what === 'restart') return this.#site.restart();
      if (what === 'take-over') return takeOver(this.#t, this.#agentUrl, NODE_ID);
      // The only node, which may still be eligible just after its connection is lost.
      const force = what === 'drain' && { force: true };
      return this.#site.admin('POST', `/v1/nodes/${NODE_ID}/${what}`, { reason: 'a transcript', ...force });
    });
    // A failure is thrown where the action is awaited.
    this.#act.catch(() => undefined);
  }

  async finish(): Promise<void> {
    await this.#act;
  }

  #beat(): void {
    const socket = this.#peer?.socket;
    if (this.#isRegistered && socket?.readyState === WebSocket.OPEN) socket.send('{"type":"heartbeat"}');
  }
}

/** Another process, started later, registers with the id. */
export async function takeOver(t: TestContext, agentUrl: string, id: string): Promise<void> {
  const socket = new WebSocket(agentUrl, AGENT_SUBPROTOCOL);
  t.after(() => socket.terminate());
  await once(socket, 'open');
  const node = {
    id,
    balancer: 'sample',
    hosts: ['sample.test'],
    url: 'http://127.0.0.1:9',
    instance: randomBytes(16).toString('hex'),
    incarnation: Date.now() + 60_000,
  };
  socket.send(JSON.stringify({ type: 'register', node }));
  await once(socket, 'message');
}
