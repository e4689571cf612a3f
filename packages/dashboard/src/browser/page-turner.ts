/** Which part of the nodes the page shows: up to 200 rows, with buttons where there are more. */
import { byId, make, setText } from './dom.js';

/** Rows of one page: what is asked for is what is shown. */
const ROWS = 200;

export class PageTurner {
  readonly #element = byId('pages');
  readonly #about = make('span', '');
  readonly #first = make('button', '', 'first');
  readonly #next = make('button', '', 'next');
  #after: string | undefined;
  #following: string | undefined;
  #shownBefore = 0;
  #shown = 0;

  /** `onTurn` is called when another part is to be shown. */
  constructor(onTurn: () => void) {
    for (const button of [this.#first, this.#next]) button.type = 'button';
    this.#first.addEventListener('click', () => {
      this.#after = undefined;
      this.#shownBefore = 0;
      onTurn();
    });
    this.#next.addEventListener('click', () => {
      this.#after = this.#following;
      this.#shownBefore += this.#shown;
      onTurn();
    });
    this.#element.append(this.#about, ' ', this.#first, ' ', this.#next);
  }

  /** Query of the nodes to show. */
  get query(): string {
    return `limit=${ROWS}${this.#after === undefined ? '' : `&after=${encodeURIComponent(this.#after)}`}`;
  }

  /** So many nodes are shown of `all`, and the next ones begin after `next`. */
  update(shown: number, all: number, next: string | undefined): void {
    this.#shown = shown;
    this.#following = next;
    const isWhole = this.#after === undefined && next === undefined;
    this.#element.hidden = isWhole;
    if (isWhole) return;
    setText(this.#about, `nodes ${this.#shownBefore + 1} to ${this.#shownBefore + shown} of ${all}`);
    this.#first.disabled = this.#after === undefined;
    this.#next.disabled = next === undefined;
  }
}
