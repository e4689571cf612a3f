/**
 * A typed list of listeners. Unlike an EventEmitter it has no special `error` event, and a listener runs in a
 * microtask of its own: what an application throws in its listener is the application's uncaught error, as it
 * should be, and cannot leave the agent half-way through a step.
 */
export class Listeners<Events> {
  readonly #lists = new Map<keyof Events, Set<(value: never) => void>>();

  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): void {
    const list = this.#lists.get(name) ?? new Set();
    this.#lists.set(name, list.add(listener));
  }

  off<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): void {
    this.#lists.get(name)?.delete(listener);
  }

  /** Gives all listeners away, in the order they came. */
  moveTo(take: (name: keyof Events, listener: (value: never) => void) => void): void {
    for (const [name, list] of this.#lists) for (const listener of list) take(name, listener);
    this.#lists.clear();
  }

  /** Hands `value` to every listener of `name`, in the order they came; returns how many there are. */
  emit<Name extends keyof Events>(name: Name, value: Events[Name]): number {
    const list = this.#lists.get(name);
    if (list === undefined) return 0;
    for (const listener of list) queueMicrotask(() => (listener as (value: Events[Name]) => void)(value));
    return list.size;
  }
}
