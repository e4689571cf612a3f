/**
 * A typed list of listeners. Unlike an EventEmitter it has no special `error` event. Each listener runs in its own
 * microtask: an error of a listener is an uncaught error of the application and does not interrupt the agent.
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

  /** Passes all listeners to `take`, in the order of `on`, and removes them. */
  moveTo(take: (name: keyof Events, listener: (value: never) => void) => void): void {
    for (const [name, list] of this.#lists) for (const listener of list) take(name, listener);
    this.#lists.clear();
  }

  /** Passes `value` to each listener of `name`, in the order of `on`. Returns the number of listeners. */
  emit<Name extends keyof Events>(name: Name, value: Events[Name]): number {
    const list = this.#lists.get(name);
    if (list === undefined) return 0;
    for (const listener of list) queueMicrotask(() => (listener as (value: Events[Name]) => void)(value));
    return list.size;
  }
}
