/** The table of the nodes of one balancer. Each node keeps its row, and cells are updated in place. */
import type { NodeResource } from '@rollcall/protocol';
import { seenOnceText } from './amounts.js';
import { duration, make, setText } from './dom.js';
import { factorText } from './explanation-words.js';
import { requestText } from './request-text.js';

export type Verb = 'drain' | 'enable' | 'stop';
export interface NodeTableListener {
  onVerb(verb: Verb, node: NodeResource): void;
  /** The user requests the explanation of the load factor. */
  onWhy(node: NodeResource): void;
}

const HEADINGS = [
  'Node',
  'Route',
  'Status',
  'Liveness',
  'Load factor',
  'Sessions',
  'In flight',
  'Requests',
  'Failures',
  'Latency',
  '',
];
const NUMBERS = new Set(['Sessions', 'In flight', 'Requests', 'Failures', 'Latency']);
const STATUS_CLASS = { enabled: 'good', draining: 'warn', stopped: 'bad' } as const;
const VERBS: readonly Verb[] = ['drain', 'enable', 'stop'];
const WANTED = { drain: 'draining', enable: 'enabled', stop: 'stopped' } as const;

export class NodeTable {
  readonly element: HTMLElement;
  readonly #body = make('tbody', '');
  readonly #rows = new Map<string, NodeRow>();
  readonly #listener: NodeTableListener;

  constructor(listener: NodeTableListener) {
    this.#listener = listener;
    const head = make('tr', '', ...HEADINGS.map((text) => make('th', NUMBERS.has(text) ? 'number' : '', text)));
    this.element = make('div', 'scroll', make('table', '', make('thead', '', head), this.#body));
  }

  update(nodes: readonly NodeResource[]): void {
    const ids = new Set<string>(nodes.map((node) => node.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
    for (const node of nodes) {
      let row = this.#rows.get(node.id);
      if (!row) {
        row = new NodeRow(this.#listener);
        this.#rows.set(node.id, row);
        this.#body.append(row.element);
      }
      row.update(node);
    }
  }
}

class NodeRow {
  readonly element: HTMLTableRowElement;
  readonly #id = make('strong', '');
  readonly #note = make('div', 'note');
  readonly #url = make('div', 'note');
  readonly #route = make('td', '');
  readonly #status = make('span', 'state');
  readonly #liveness = make('span', 'state');
  readonly #factor = make('span', '');
  readonly #meter = make('meter', '');
  readonly #sessions = make('td', 'number');
  readonly #inFlight = make('td', 'number');
  readonly #requests = make('td', 'number');
  readonly #failures = make('td', 'number');
  readonly #latency = make('td', 'number');
  readonly #buttons = new Map<Verb, HTMLButtonElement>();
  #node: NodeResource | undefined;

  constructor(listener: NodeTableListener) {
    this.#meter.max = 100;
    this.#meter.low = 20;
    this.#meter.high = 50;
    this.#meter.optimum = 100;
    const actions = make('td', '');
    for (const verb of VERBS) {
      const button = make('button', '', verb);
      button.type = 'button';
      button.addEventListener('click', () => this.#node && listener.onVerb(verb, this.#node));
      this.#buttons.set(verb, button);
      actions.append(button, ' ');
    }
    const why = make('button', '', 'why');
    why.type = 'button';
    why.addEventListener('click', () => this.#node && listener.onWhy(this.#node));
    this.element = make(
      'tr',
      '',
      make('td', '', this.#id, this.#url, this.#note),
      this.#route,
      make('td', '', this.#status),
      make('td', '', this.#liveness),
      make('td', '', this.#meter, ' ', this.#factor, ' ', why),
      this.#sessions,
      this.#inFlight,
      this.#requests,
      this.#failures,
      this.#latency,
      actions,
    );
  }

  update(node: NodeResource): void {
    this.#node = node;
    this.element.dataset['node'] = node.id;
    setText(this.#id, node.id);
    setText(this.#note, noteOf(node));
    setText(this.#url, node.url);
    setText(this.#route, node.route);
    setText(this.#status, node.status);
    this.#status.className = `state ${STATUS_CLASS[node.status]}`;
    const isUnready = !node.isReady && isPresent(node);
    const liveness = [
      node.liveness,
      ...(isUnready ? ['not ready'] : []),
      ...(node.observed.isEjected ? ['ejected'] : []),
    ].join(', ');
    setText(this.#liveness, liveness);
    this.#liveness.className = `state ${livenessClass(node)}`;
    setText(this.#factor, factorText(node.loadFactor));
    this.#meter.hidden = node.loadFactor === undefined;
    this.#meter.value = node.loadFactor ?? 0;
    this.#sessions.title = node.sessionsFrom === 'node' ? 'reported by the node' : 'counted by the proxy workers';
    setText(this.#sessions, `${node.sessions}${seenOnceText(node.sessionsSeenOnce)}`);
    const { parked } = node.observed;
    const tunnels = node.tunnels > 0 ? ` + ${node.tunnels} tunnels` : '';
    setText(this.#inFlight, `${node.inFlight}${tunnels}${parked > 0 ? ` + ${parked} parked` : ''}`);
    setText(this.#requests, String(node.observed.requests));
    setText(this.#failures, String(node.observed.failures));
    setText(this.#latency, node.observed.latencyMs < 0 ? '–' : `${node.observed.latencyMs.toFixed(1)} ms`);
    for (const [verb, button] of this.#buttons)
      button.disabled = !isPresent(node) || node.wanted.status === WANTED[verb];
  }
}

function isPresent({ liveness }: NodeResource): boolean {
  return liveness !== 'gone' && liveness !== 'missing';
}

function livenessClass(node: NodeResource): 'good' | 'warn' | 'bad' {
  const { liveness, isReady, observed } = node;
  if (!isPresent(node) || liveness === 'down' || observed.isEjected) return 'bad';
  return liveness === 'up' && isReady ? 'good' : 'warn';
}

/** Each part is about a present state: a node that is up, ready and enabled has none. */
function noteOf(node: NodeResource): string {
  const { drain, observed, livenessReason, readyReason, liveness } = node;
  const ports = liveness === 'suspect' ? observed.ports.map(({ worker, port }) => `${port} at ${worker}`) : [];
  const moved = Object.entries(observed.failovers).map(([cause, count]) => `${count} sessions moved (${cause})`);
  return [
    ...(livenessReason === undefined ? [] : [livenessReason, ...ports, ...moved]),
    ...(node.heardBy === undefined ? [] : [`reported by ${node.heardBy.join(', ')} only`]),
    ...(readyReason === undefined ? [] : [readyReason]),
    ...requestText(node),
    ...(drain && isPresent(node) && liveness !== 'joining' ? [drainText(node, drain)] : []),
  ].join('; ');
}

function drainText(node: NodeResource, drain: NonNullable<NodeResource['drain']>): string {
  if (drain.isDone) return 'drained';
  const deadline = node.wanted.deadlineAtUnixMs ?? node.reported.deadlineAtUnixMs;
  const parts = [
    `${drain.sessionsLeft} sessions${seenOnceText(drain.sessionsSeenOnce)}`,
    `${drain.inFlight} in flight`,
  ];
  if (drain.tunnels > 0) parts.push(`${drain.tunnels} tunnels`);
  if (drain.oldestSessionMs !== undefined && drain.sessionsLeft > 0)
    parts.push(`the oldest for at least ${duration(drain.oldestSessionMs)}`);
  if (deadline !== undefined) parts.push(`at most ${duration(Math.max(0, deadline - Date.now()))} more`);
  if (drain.waitingFor.length > 0) parts.push(`waiting for ${drain.waitingFor.join(', ')}`);
  return `left: ${parts.join(', ')}`;
}
