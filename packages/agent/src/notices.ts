/** Reports of a node to its program: events and log lines. */
import type { AgentCode, Notice } from './agent-codes.ts';
import type { Listeners } from './listeners.ts';
import type { RollcallEvents } from './node-core.ts';
import { settled } from './settled.ts';

/** Maximum number of different sentences until `forget`; further warnings are dropped. */
const MAX_NOTICES = 64;

export class Notices {
  readonly #listeners: Listeners<RollcallEvents>;
  readonly #log: (line: string) => void;
  readonly #said = new Set<string>();
  #lastLine = '';

  /** `log` receives each line; default `console.warn`. */
  constructor(listeners: Listeners<RollcallEvents>, log: ((line: string) => void) | undefined) {
    this.#listeners = listeners;
    this.#log = log ?? ((line) => console.warn(line));
  }

  /** Reports an invalid call or option of the program. */
  misuse(message: string): void {
    this.warn({ code: 'misuse' satisfies AgentCode, message });
  }

  /** Reports a warning; the same sentence is reported once until `forget`. */
  warn(notice: Notice): void {
    if (this.#said.has(notice.message) || this.#said.size >= MAX_NOTICES) return;
    this.#said.add(notice.message);
    this.report('warning', notice);
  }

  /** Reports `notice`, even if it was reported before. */
  report<Name extends 'warning' | 'error' | 'disconnected' | 'reconnected'>(
    name: Name,
    notice: RollcallEvents[Name],
  ): void {
    this.#listeners.emit(name, notice);
    // A refusal that ends the node was already reported as a warning.
    if (notice.message === this.#lastLine) return;
    this.#lastLine = notice.message;
    try {
      settled<unknown>(this.#log(`rollcall: ${notice.message}`));
    } catch {
      // An error of the log function must not affect the application.
    }
  }

  /** Allows all warnings to be reported again. */
  forget(): void {
    this.#said.clear();
  }
}
