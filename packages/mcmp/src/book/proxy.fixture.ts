/** A proxy for tests: the book over a real registry, with one worker and a clock that the test advances. */
import { createHash } from 'node:crypto';
import type { Command, Event, Rejection } from '@rollcall/core';
import { hostedContexts, Registry } from '@rollcall/core';
import { ManualClock } from '@rollcall/core/testing';
import type { NodeId, NodeResource } from '@rollcall/protocol';
import { parseNodeId } from '@rollcall/protocol';
import { type Answer, faults } from '../answers/answer.ts';
import { type Message, readMessage } from '../messages/message.ts';
import { Book, type BookOptions, type Reply } from './book.ts';
import type { Peer, RegistryPort } from './registry-port.ts';

const NOW_UNIX_MS = 1_800_000_000_000;

export class TestProxy {
  readonly clock = new ManualClock();
  readonly registry = new Registry({ startedAtMs: this.clock.nowMs() });
  readonly commands: Command[] = [];
  readonly events: Event[] = [];
  readonly notes: string[] = [];
  readonly book: Book;
  /** Addresses whose port refuses connections. */
  readonly refusing = new Set<string>();
  /** Result of the next counts. */
  requests = 0;
  /** Owner of the peer. */
  owner = 'mcmp';
  /** Contexts that the identity may serve. */
  allowed: (alias: string, context: string) => boolean = () => true;
  #connection = 1;

  constructor(options: Partial<BookOptions> = {}) {
    this.apply({ type: 'worker-joined', worker: 'w' });
    this.book = new Book(this.#port(), { id: '1', ...options });
  }

  #port(): RegistryPort {
    return {
      apply: (command) => this.apply(command),
      node: (id) => this.registry.node(id),
      portOf: (id) => this.#portOf(id),
      numbersOf: () => ({ elected: 0, read: 0, transferred: 0, connected: 0 }),
      settingsOf: (balancer) => this.registry.balancerResource(balancer),
      nextConnection: () => this.#connection++,
      hasEnded: (id) => this.registry.hasEnded(id),
      digest: (text) => createHash('sha256').update(text).digest('hex').slice(0, 32),
      nowUnixMs: () => NOW_UNIX_MS + this.clock.nowMs(),
    };
  }

  #portOf(id: NodeId): 'answers' | 'refused' | 'unknown' {
    const ports = this.registry.ports(id).map(({ port }) => port);
    if (ports.includes('answers')) return 'answers';
    return ports.includes('refused') ? 'refused' : 'unknown';
  }

  /** Applies a command. A node that awaits a probe is reached at once, unless its port refuses. */
  apply(command: Command): readonly Event[] | Rejection {
    this.commands.push(command);
    const outcome = this.registry.apply(command, this.clock.nowMs());
    if ('type' in outcome) return outcome;
    this.events.push(...outcome);
    for (const event of outcome)
      if (event.type === 'registered' && event.needsProbe) {
        const isReachable = !this.refusing.has(this.registry.node(event.id)!.registration.url);
        this.apply({ type: 'reachable', id: event.id, connection: event.connection, isReachable });
        this.#report();
      }
    return outcome;
  }

  /** Time passes, in ticks of a second; the worker reports the ports. */
  advance(ms: number): void {
    for (let left = ms; left > 0; left -= 1_000) {
      this.clock.advance(Math.min(1_000, left));
      this.#report();
      this.apply({ type: 'tick' });
    }
  }

  #report(): void {
    const ports = [...this.registry.nodes()].map(
      ({ id, registration }) => [id, this.refusing.has(registration.url) ? 'refused' : 'answers'] as const,
    );
    this.apply({ type: 'ports-seen', worker: 'w', ports });
  }

  peer(connection = 1): Peer {
    return { connection, owner: this.owner, mayServe: (alias, context) => this.allowed(alias, context) };
  }

  reply(message: Message, connection = 1): Reply {
    return this.book.take(message, this.peer(connection));
  }

  /** The answer to a message as a node sends it: `STATUS /* JVMRoute=n1`. The target is `/` without one. */
  send(line: string, connection = 1): Answer {
    const [method = '', second = '', third] = line.split(' ');
    const [target, body] = third === undefined && !/^[/*]/.test(second) ? ['/', second] : [second, third ?? ''];
    const message = readMessage({ type: 'request', method, target, body, accept: '', isKeptAlive: true });
    if (message === undefined) throw new Error(`${method} is no message`);
    if (message.type === 'fault') return message;
    return this.answer(message, connection);
  }

  answer(message: Message, connection = 1): Answer {
    const reply = this.reply(message, connection);
    if (reply.type === 'count') return reply.answer(this.requests);
    if (reply.note !== undefined) this.notes.push(reply.note);
    return reply.answer;
  }

  /** The answer in short: `200 BODY`, or the text of the fault. */
  say(line: string, connection = 1): string {
    return shortly(this.send(line, connection));
  }

  resource(id: string): NodeResource | undefined {
    const nodeId = parseNodeId(id);
    const nowMs = this.clock.nowMs();
    return nodeId && this.registry.resource(nodeId, { nowMs, nowUnixMs: NOW_UNIX_MS + nowMs });
  }

  /** `up /a:enabled /b:draining`; `none` for a node that the registry does not have. */
  state(id: string): string {
    const resource = this.resource(id);
    if (resource === undefined) return 'none';
    const contexts = resource.contexts.map(({ path, status }) => `${path}:${status}`);
    return [resource.liveness, ...contexts].join(' ');
  }

  /** The contexts of a node in order, as `HOST/PATH:STATUS`. */
  places(id: string): readonly string[] {
    const resource = this.resource(id);
    if (resource === undefined) return [];
    return [...hostedContexts(resource)].map(({ host, path, entry }) => `${host}${path}:${entry.status}`).sort();
  }
}

export function shortly(answer: Answer): string {
  return answer.type === 'fault' ? `${answer.kind} ${answer.mess}` : `200 ${answer.body}`.trimEnd();
}

/** A fault of the book that has the same text whatever it is about. */
export const UNKNOWN = (route: string): string => shortly(faults.unknownNode(route));
