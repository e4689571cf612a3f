/** A full-screen view on a terminal. The terminal is restored on every end of the process. */
import type { Size } from './lines.ts';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';

export interface ScreenListener {
  /** One chunk of input. */
  readonly onInput: (text: string) => void;
  /** The size has changed, or the process was resumed: draw again. */
  readonly onRedraw: () => void;
  /** The process should end: SIGTERM, SIGHUP or SIGINT of another process. */
  readonly onEnd: (signal: NodeJS.Signals) => void;
}

export class TerminalScreen {
  readonly #input: NodeJS.ReadStream;
  readonly #output: NodeJS.WriteStream;
  readonly #listener: ScreenListener;
  readonly #signals: readonly (readonly [signal: NodeJS.Signals, run: () => void])[];
  #shown: readonly string[] = [];
  #isOpen = false;

  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream, listener: ScreenListener) {
    this.#input = input;
    this.#output = output;
    this.#listener = listener;
    this.#signals = [
      ...(['SIGTERM', 'SIGHUP', 'SIGINT'] as const).map((signal) => [signal, () => listener.onEnd(signal)] as const),
      ['SIGCONT', () => this.#resume()],
    ];
  }

  get size(): Size {
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 };
  }

  open(): void {
    process.on('exit', this.#restore);
    // Before Node.js prints an error that nothing has caught.
    process.on('uncaughtExceptionMonitor', this.#restore);
    for (const [signal, run] of this.#signals) process.on(signal, run);
    this.#input.on('data', this.#read);
    this.#output.on('resize', this.#resize);
    this.#enter();
  }

  /** Ends the view and all its listeners. */
  close(): void {
    this.#restore();
    process.off('exit', this.#restore);
    process.off('uncaughtExceptionMonitor', this.#restore);
    for (const [signal, run] of this.#signals) process.off(signal, run);
    this.#input.off('data', this.#read);
    this.#output.off('resize', this.#resize);
    this.#input.pause();
  }

  /** Writes the lines that have changed. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    const changed = lines.flatMap((line, i) => (line === this.#shown[i] ? [] : [`\u001b[${i + 1};1H${line}\u001b[K`]));
    this.#shown = lines;
    if (changed.length > 0) this.#output.write(changed.join(''));
  }

  /** Returns to the shell, until it continues this process. */
  suspend(): void {
    this.#restore();
    process.kill(process.pid, 'SIGSTOP');
  }

  #enter(): void {
    this.#isOpen = true;
    this.#shown = [];
    this.#input.setRawMode(true);
    this.#input.setEncoding('utf8');
    this.#input.resume();
    this.#output.write(`${ENTER}\u001b[2J`);
  }

  readonly #restore = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      this.#input.setRawMode(false);
      this.#output.write(LEAVE);
    } catch {
      // The terminal is closed.
    }
  };

  #resume(): void {
    if (this.#isOpen) this.#restore();
    this.#enter();
    this.#listener.onRedraw();
  }

  readonly #read = (text: string | Buffer): void => this.#listener.onInput(String(text));

  readonly #resize = (): void => {
    this.#shown = [];
    this.#output.write('\u001b[2J');
    this.#listener.onRedraw();
  };
}
