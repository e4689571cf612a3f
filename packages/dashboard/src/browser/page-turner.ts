/** Paging of the nodes: at most 200 rows, and buttons for the next and the first page. */
import { byId, make, setText } from './dom.js';

/** Rows of one page, and the limit of the request. */
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

  /** `onTurn` is called after `query` has changed. */
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

  /** Query of the request for the nodes of this page. */
  get query(): string {
    return `limit=${ROWS}${this.#after === undefined ? '' : `&after=${encodeURIComponent(this.#after)}`}`;
  }

  /** Updates the text and the buttons. `shown` of `all` nodes are shown; `next` is the cursor of the next page, if any. */
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
