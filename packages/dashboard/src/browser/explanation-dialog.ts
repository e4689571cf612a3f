/** Why a node's load factor and its part of the traffic are what they are, as long as somebody looks at it. */
import type { ExplainedMetric, ExplainedShare, NodeExplanation } from '@rollcall/protocol';
import { get, tellFailure } from './admin-api.js';
import { byId, bytes, duration, make, setText } from './dom.js';

const ROLES = { limit: 'limit', mean: 'mean', shown: 'shown only', unknown: '' } as const;

export class ExplanationDialog {
  readonly #dialog = byId<HTMLDialogElement>('explanation');
  readonly #title = byId('explanation-title');
  readonly #about = byId('explanation-about');
  readonly #because = byId('explanation-because');
  readonly #shares = byId('explanation-shares');
  readonly #metrics = byId('explanation-metrics');
  #node = '';

  async show(node: string): Promise<void> {
    this.#node = node;
    try {
      await this.refresh(true);
      this.#dialog.showModal();
    } catch (error) {
      tellFailure(error);
    }
  }

  /** Asks again while it is open; call it with every turn of the page. */
  async refresh(isOpening = false): Promise<void> {
    if (!isOpening && !this.#dialog.open) return;
    this.#fill(await get<NodeExplanation>(`/v1/nodes/${encodeURIComponent(this.#node)}/explain`));
  }

  #fill(explanation: NodeExplanation): void {
    const { id, because, load, meanLoad, loadFactor, toldMs, inFlight, serviceMs, metrics } = explanation;
    setText(this.#title, `Why is ${id} at ${loadFactor}?`);
    const numbers = [
      load === undefined ? 'no load told' : `load ${percent(load)}`,
      ...(meanLoad === undefined ? [] : [`over the last ten reports ${percent(meanLoad)}`]),
      ...(inFlight === undefined ? [] : [`${inFlight} in flight`]),
      ...(serviceMs === undefined ? [] : [`${serviceMs.toFixed(1)} ms a request`]),
      ...(toldMs < 0 ? [] : [`told ${duration(toldMs)} ago`]),
    ];
    setText(this.#about, numbers.join(' · '));
    this.#because.replaceChildren(...because.map((sentence) => make('li', '', sentence)));
    this.#shares.replaceChildren(
      shareRow('Requests', explanation.requests, '/s'),
      shareRow('Sessions', explanation.sessions, ''),
    );
    this.#metrics.replaceChildren(...metrics.map(metricRow));
  }
}

function shareRow(name: string, { count, share, fairShare }: ExplainedShare, unit: string): HTMLElement {
  return row([name, `${amount(count)}${unit}`, percent(share), percent(fairShare)]);
}

function metricRow({
  name,
  value,
  unit,
  capacity,
  weight,
  isSoft,
  role,
  part,
  mean,
  isDecisive,
}: ExplainedMetric): HTMLElement {
  const element = row([
    name,
    value === undefined ? '' : inUnit(value, unit),
    capacity === undefined ? '' : `${inUnit(capacity, unit)}${isSoft ? ' = half' : ''}`,
    weight === undefined ? '' : amount(weight),
    ROLES[role],
    percent(part),
    percent(mean),
  ]);
  if (isDecisive) element.className = 'decisive';
  return element;
}

function row(cells: readonly string[]): HTMLElement {
  return make('tr', '', ...cells.map((text, column) => make('td', column === 0 ? '' : 'number', text)));
}

function inUnit(value: number, unit: string | undefined): string {
  if (unit === 'B/s') return `${bytes(value)}/s`;
  return unit === undefined ? amount(value) : `${amount(value)} ${unit}`;
}

function amount(value: number): string {
  return String(Math.abs(value) < 100 ? Math.round(value * 100) / 100 : Math.round(value));
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}
