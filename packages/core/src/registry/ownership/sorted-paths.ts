/** The context paths of one owner on one host, counted and sorted, so that paths above and below another one are found quickly. */
import type { ContextPath } from '@rollcall/protocol';

export class SortedPaths {
  readonly #counts = new Map<ContextPath, number>();
  readonly #sorted: ContextPath[] = [];

  add(path: ContextPath): void {
    const count = this.#counts.get(path) ?? 0;
    this.#counts.set(path, count + 1);
    if (count === 0) this.#sorted.splice(this.#lowerBound(path), 0, path);
  }

  /** Removes one use of `path`. Returns whether no path is left. */
  remove(path: ContextPath): boolean {
    const count = this.#counts.get(path) ?? 0;
    if (count > 1) this.#counts.set(path, count - 1);
    else if (this.#counts.delete(path)) this.#sorted.splice(this.#lowerBound(path), 1);
    return this.#counts.size === 0;
  }

  /** The longest path that `path` lies below; with `orSame` also `path` itself. */
  above(path: ContextPath, orSame: boolean): ContextPath | undefined {
    if (orSame && this.#counts.has(path)) return path;
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end) as ContextPath;
      if (this.#counts.has(parent)) return parent;
    }
    const root = '/' as ContextPath;
    return path !== root && this.#counts.has(root) ? root : undefined;
  }

  /** A path that lies below `path`, not `path` itself. */
  below(path: ContextPath): ContextPath | undefined {
    const prefix = path === '/' ? '/' : `${path}/`;
    const at = this.#lowerBound(prefix);
    const found = this.#sorted[at] === path ? this.#sorted[at + 1] : this.#sorted[at];
    return found?.startsWith(prefix) ? found : undefined;
  }

  /** Index of the first path that is not before `text`. */
  #lowerBound(text: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < text) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
