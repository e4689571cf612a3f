/** The dialog that explains the load factor and the traffic share of a node. */
import type { ExplainedMetric, NodeExplanation } from '@rollcall/protocol';
import { get, Refused, tellFailure } from './admin-api.js';
import { byId, duration, make, setText } from './dom.js';
import { explainedNumbers, metricRow, shareRows } from './explanation-words.js';

export class ExplanationDialog {
  readonly #dialog = byId<HTMLDialogElement>('explanation');
  readonly #title = byId('explanation-title');
  readonly #about = byId('explanation-about');
  readonly #because = byId('explanation-because');
  readonly #shares = byId('explanation-shares');
  readonly #metrics = byId('explanation-metrics');
  #node = '';

  /** Fetches the explanation of a node and opens the dialog; reports an error on the page instead. */
  async show(node: string): Promise<void> {
    this.#node = node;
    try {
      await this.refresh(true);
      this.#dialog.showModal();
    } catch (error) {
      tellFailure(error);
    }
  }

  /** Refreshes an open dialog; the page calls it with each refresh. If the node was removed, the dialog reports it. */
  async refresh(isOpening = false): Promise<void> {
    if (!isOpening && !this.#dialog.open) return;
    const node = this.#node;
    try {
      const explanation = await get<NodeExplanation>(`/v1/nodes/${encodeURIComponent(node)}/explain`);
      if (node === this.#node) this.#fill(explanation);
    } catch (error) {
      if (isOpening || !(error instanceof Refused) || error.status !== 404) throw error;
      if (node === this.#node) this.#fillGone();
    }
  }

  #fillGone(): void {
    setText(this.#title, `${this.#node} is gone`);
    setText(this.#about, 'The coordinator no longer has this node.');
    for (const part of [this.#because, this.#shares, this.#metrics]) part.replaceChildren();
  }

  #fill(explanation: NodeExplanation): void {
    const { id, because, loadFactor, metrics } = explanation;
    setText(this.#title, loadFactor === undefined ? `Load of ${id}` : `Why is ${id} at ${loadFactor}?`);
    setText(this.#about, explainedNumbers(explanation, duration).join(' · '));
    this.#because.replaceChildren(...because.map((sentence) => make('li', '', sentence)));
    this.#shares.replaceChildren(...shareRows(explanation).map(row));
    this.#metrics.replaceChildren(...metrics.map(metricElement));
  }
}

function metricElement(metric: ExplainedMetric): HTMLElement {
  const element = row(metricRow(metric));
  if (metric.isDecisive) element.className = 'decisive';
  return element;
}

function row(cells: readonly string[]): HTMLElement {
  return make('tr', '', ...cells.map((text, column) => make('td', column === 0 ? '' : 'number', text)));
}
