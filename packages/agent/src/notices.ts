/** What a node reports to its program: as events, and as lines of its log. */
import type { AgentCode, Notice } from './agent.ts';
import type { Listeners } from './listeners.ts';
import type { RollcallEvents } from './node-core.ts';
import { settled } from './settled.ts';

/** Most sentences that are remembered as reported; a program that causes more gets no more of them. */
const MAX_NOTICES = 64;

export class Notices {
  readonly #listeners: Listeners<RollcallEvents>;
  readonly #log: (line: string) => void;
  readonly #said = new Set<string>();
  #lastLine = '';

  /** `log` gets each line; default `console.warn`. */
  constructor(listeners: Listeners<RollcallEvents>, log: ((line: string) => void) | undefined) {
    this.#listeners = listeners;
    this.#log = log ?? ((line) => console.warn(line));
  }

  /** The program has called or set something that cannot be used. */
  misuse(message: string): void {
    this.warn({ code: 'misuse' satisfies AgentCode, message });
  }

  /** A warning; the same sentence is reported once until `forget`. */
  warn(notice: Notice): void {
    if (this.#said.has(notice.message) || this.#said.size >= MAX_NOTICES) return;
    this.#said.add(notice.message);
    this.report('warning', notice);
  }

  /** Reports `notice` whether or not it was reported before. */
  report(name: 'warning' | 'error' | 'disconnected', notice: Notice): void {
    this.#listeners.emit(name, notice);
    // What ends the node was reported as a warning when it came.
    if (notice.message === this.#lastLine) return;
    this.#lastLine = notice.message;
    try {
      settled<unknown>(this.#log(`rollcall: ${notice.message}`));
    } catch {
      // A log that fails is the application's matter, and no reason to stop it from serving.
    }
  }

  /** Warnings are reported again. */
  forget(): void {
    this.#said.clear();
  }
}
