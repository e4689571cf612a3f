/** Records transcripts: the SDK of this release and a real `up`, with a relay between them that writes down what passes. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { AGENT_SUBPROTOCOL } from '@rollcall/protocol';
import { WebSocket, WebSocketServer } from 'ws';
import { Site, until } from '../site/site.ts';
import { takeOver } from './replay-agent.ts';
import { startSampleNode } from './sample-node.ts';
import { type Line, type Message, TRANSCRIPTS } from './transcript.ts';

type Scene = readonly [name: string, about: string, play: (tape: Tape, site: Site, t: TestContext) => Promise<void>];

const SCENES: readonly Scene[] = [
  [
    'register-drain-leave',
    'a node registers, sends heartbeats, stops in order and leaves',
    async (tape) => {
      await tape.has((line) => isOf(line, 'heartbeat'));
      await tape.drain();
    },
  ],
  [
    'operator-drains',
    'an operator drains a node and enables it again',
    async (tape, site) => {
      await tape.has((line) => isOf(line, 'heartbeat'));
      for (const verb of ['drain', 'enable'] as const) {
        tape.add({ others: verb });
        await site.admin('POST', `/v1/nodes/sample-1/${verb}`, { reason: 'a transcript', force: true });
        await tape.has((line) => isOf(line, 'status'));
      }
      await tape.drain();
    },
  ],
  [
    'coordinator-restarts',
    'the coordinator is restarted, and the node comes back as the same process',
    async (tape, site) => {
      await tape.has((line) => isOf(line, 'heartbeat'));
      tape.add({ others: 'restart' });
      await site.restart();
      await tape.has((line) => isOf(line, 'registered'), 2);
      await tape.has((line) => isOf(line, 'heartbeat'), 2);
      await tape.drain();
    },
  ],
  [
    'drained-while-away',
    'an operator drains a node, and the restarted coordinator sends that again',
    async (tape, site) => {
      await tape.has((line) => isOf(line, 'heartbeat'));
      tape.add({ others: 'drain' });
      await site.admin('POST', '/v1/nodes/sample-1/drain', { reason: 'a transcript', force: true });
      await tape.has((line) => isOf(line, 'status'));
      tape.add({ others: 'restart' });
      await site.restart();
      await tape.has((line) => isOf(line, 'status'), 2);
      await tape.drain();
    },
  ],
  [
    'superseded',
    'a process that was started later takes the id, and the node stops for good',
    async (tape, site, t) => {
      await tape.has((line) => isOf(line, 'heartbeat'));
      tape.add({ others: 'take-over' });
      await takeOver(t, `${site.controlUrl.replace('http', 'ws')}/v1/agent`, 'sample-1');
      await tape.has((line) => 'close' in line);
      await tape.stopped();
    },
  ],
];

export async function record(t: TestContext): Promise<void> {
  for (const [name, about, play] of SCENES)
    await t.test(name, async (t) => {
      const site = await Site.start(t);
      const tape = new Tape();
      const sample = await startSampleNode(t, await tape.relay(t, site.controlUrl.replace('http', 'ws')));
      tape.drain = async () => {
        tape.add({ program: 'drain' });
        await sample.node.drain();
        tape.add({ program: 'close' });
        await sample.node.close();
        await tape.has((line) => 'close' in line && line.close === 1000);
      };
      tape.stopped = async () => {
        await sample.stopped;
        tape.add({ program: 'stopped' });
      };
      await play(tape, site, t);
      const head = { transcript: name, protocol: AGENT_SUBPROTOCOL, about };
      const text = [head, ...tape.lines].map((line) => `${JSON.stringify(line)}\n`).join('');
      writeFileSync(new URL(`${name}.jsonl`, TRANSCRIPTS), text);
    });
}

class Tape {
  readonly lines: Line[] = [];
  drain: () => Promise<void> = async () => undefined;
  stopped: () => Promise<void> = async () => undefined;
  #connections = 0;

  add(line: Line): void {
    this.lines.push(line);
  }

  async has(isIt: (line: Line) => boolean, count = 1): Promise<void> {
    await until(() => this.lines.filter(isIt).length >= count, 'the expected line was not recorded');
  }

  /** Passes everything on between the agent and the coordinator at `target`. */
  async relay(t: TestContext, target: string): Promise<string> {
    const server = createServer();
    const sockets = new WebSocketServer({ server, handleProtocols: () => AGENT_SUBPROTOCOL });
    sockets.on('connection', (agent) => this.#join(agent, target));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      for (const client of sockets.clients) client.terminate();
      server.close();
      server.closeAllConnections();
    });
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  #join(agent: WebSocket, target: string): void {
    const coordinator = new WebSocket(`${target}/v1/agent`, AGENT_SUBPROTOCOL);
    const waiting: string[] = [];
    let isEnded = false;
    const end = (from: 'agent' | 'coordinator', other: WebSocket, code: number) => {
      if (isEnded) return;
      isEnded = true;
      if (code !== 1006) this.add({ from, close: code });
      if (code === 1006) other.terminate();
      else other.close(code);
    };
    coordinator.on('error', () => agent.terminate());
    coordinator.on('open', () => {
      this.add({ open: ++this.#connections });
      for (const text of waiting) this.#pass('agent', coordinator, text);
    });
    agent.on('message', (data) => {
      if (coordinator.readyState === WebSocket.OPEN) this.#pass('agent', coordinator, String(data));
      else waiting.push(String(data));
    });
    coordinator.on('message', (data) => this.#pass('coordinator', agent, String(data)));
    agent.on('close', (code) => end('agent', coordinator, code));
    coordinator.on('close', (code) => end('coordinator', agent, code));
  }

  #pass(from: 'agent' | 'coordinator', other: WebSocket, text: string): void {
    const message = JSON.parse(text) as Message;
    // One heartbeat of each registration says it all.
    const last = this.lines.at(-1);
    const isNews = message.type !== 'heartbeat' || (last !== undefined && isOf(last, 'registered'));
    if (isNews) this.add({ from, message: withPlaceholders(message) });
    other.send(text);
  }
}

function isOf(line: Line, type: string): boolean {
  return 'message' in line && line.message.type === type;
}

function withPlaceholders(message: Message): Message {
  const values: Record<string, string> = {
    url: '<url:a>',
    instance: '<instance:a>',
    incarnation: '<incarnation:a>',
    epoch: '<text>',
    coordinators: '<list>',
    warnings: '<list>',
    host: '<text>',
    pid: '<number>',
    cores: '<number>',
    deadlineMs: '<number>',
    ...(message.type === 'error' && { message: '<text>' }),
  };
  const text = JSON.stringify(message, (key, value: unknown) => (key === '' ? value : (values[key] ?? value)));
  return JSON.parse(text) as Message;
}
