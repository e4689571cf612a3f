/** Creates and fills elements. Text always becomes text nodes, so that the name of a node is never interpreted as markup. */

/** The element with this id. Throws if the page has none, which is a bug. */
export function byId<Kind extends HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as Kind;
}

/** Creates an element with a class (may be empty) and content. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  ...content: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.append(...content);
  return element;
}

/** Sets the text of an element if it differs, so that a selection in the element is kept. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows `text` in the element; hides the element if `text` is empty. */
export function showIf(element: HTMLElement, text: string): void {
  setText(element, text);
  element.hidden = text === '';
}

/** A duration for display: `12 s`, `4 min`, `2.0 h`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
