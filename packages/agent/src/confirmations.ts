/**
 * The coordinators that have to confirm the requested status of a node. The status is complete when each of them has confirmed
 * it or was lost, and at least one has confirmed it.
 */
export class Confirmations<Coordinator> {
  readonly #awaited = new Set<Coordinator>();
  #isConfirmed = false;
  #isComplete = false;

  /** Starts with a new status, which was sent to `coordinators`. */
  request(coordinators: Iterable<Coordinator>): void {
    this.#awaited.clear();
    for (const coordinator of coordinators) this.#awaited.add(coordinator);
    this.#isConfirmed = false;
    this.#isComplete = false;
  }

  /** The present status was sent to `coordinator` again. */
  add(coordinator: Coordinator): void {
    this.#awaited.add(coordinator);
  }

  /** Returns true when the status is now complete, once per status. */
  confirm(coordinator: Coordinator): boolean {
    this.#isConfirmed = true;
    return this.drop(coordinator);
  }

  /** `coordinator` was lost. Returns true when the status is now complete, once per status. */
  drop(coordinator: Coordinator): boolean {
    this.#awaited.delete(coordinator);
    if (this.#isComplete || !this.#isConfirmed || this.#awaited.size > 0) return false;
    this.#isComplete = true;
    return true;
  }
}
