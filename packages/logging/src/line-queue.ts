/** A bounded buffer of log lines that counts the lines it loses. It has no file and no timer. */

/** Lines are joined into one buffer until it has this many characters. */
const PIECE_LENGTH = 65_536;
const NEWLINE = 10;

/** Number of lost lines, and the reason: an error code or a phrase. */
export interface Losses {
  readonly lines: number;
  readonly reason: string;
}

interface Piece {
  readonly octets: Buffer;
  /** Offset of the first line, octets. The line end of a cut line and a report may precede it. */
  readonly linesAt: number;
  /** Losses that become known once this piece is written: by its report, or by `advance`. */
  readonly losses: Losses | undefined;
}

export interface LineQueueOptions {
  /** Maximum size of the buffer, characters. A text that does not fit is lost. */
  readonly maxLength: number;
  /** Formats the line that reports losses, with its line end; it is written before the next lines. Default: no such line. */
  readonly report?: (losses: Losses) => string;
}

export class LineQueue {
  readonly #options: LineQueueOptions;
  #waiting: string[] = [];
  #waitingLength = 0;
  #piece: Piece | undefined;
  /** Octets of `#piece` that are written. */
  #written = 0;
  /** Whether the last written octet belongs to a line whose remainder is lost. */
  #isCut = false;
  #lost = 0;
  #unreported: Losses | undefined;

  constructor(options: LineQueueOptions) {
    this.#options = options;
  }

  /** Lines lost since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Whether there is neither a line nor a report to write. */
  get isEmpty(): boolean {
    const hasReport = this.#unreported !== undefined && this.#options.report !== undefined;
    return this.#piece === undefined && this.#waiting.length === 0 && !hasReport;
  }

  /** Buffers one or more lines, each with its line end. Returns false if they do not fit: then they are lost for `reason`. */
  add(text: string, reason: string): boolean {
    const hasRoom = this.#waitingLength + text.length <= this.#options.maxLength;
    if (hasRoom) {
      this.#waiting.push(text);
      this.#waitingLength += text.length;
    } else this.#lose(linesIn(text), reason);
    return hasRoom;
  }

  /** The next octets to write: whole lines of at most `maxOctets`, or one line if it is longer. `undefined` if empty. */
  next(maxOctets: number): Buffer | undefined {
    if (this.isEmpty) return undefined;
    this.#piece ??= this.#nextPiece();
    const { octets } = this.#piece;
    return octets.subarray(this.#written, lineEnd(octets, this.#written, maxOctets));
  }

  /** Records that the first `count` octets of `next` are written. Returns the losses that this write makes known, once. */
  advance(count: number): Losses | undefined {
    const piece = this.#piece;
    if (piece === undefined || count === 0) return undefined;
    const before = this.#written;
    this.#written += count;
    this.#isCut = false;
    if (this.#written === piece.octets.length) this.#drop();
    if (piece.losses === undefined || before >= Math.max(1, piece.linesAt) || before + count < piece.linesAt)
      return undefined;
    this.#unreported = remainder(this.#unreported, piece.losses);
    return piece.losses;
  }

  /** Discards the piece that `next` returned; its unwritten lines are lost for `reason`. */
  fail(reason: string): void {
    const piece = this.#piece;
    if (piece === undefined) return;
    if (this.#written > 0) this.#isCut = piece.octets[this.#written - 1] !== NEWLINE;
    this.#lose(newlinesIn(piece.octets, Math.max(this.#written, piece.linesAt)), reason);
    this.#drop();
  }

  /** Discards all lines; they are lost for `reason`. */
  abandon(reason: string): void {
    this.fail(reason);
    for (const text of this.#waiting) this.#lose(linesIn(text), reason);
    this.#waiting = [];
    this.#waitingLength = 0;
  }

  #drop(): void {
    this.#piece = undefined;
    this.#written = 0;
  }

  #lose(lines: number, reason: string): void {
    if (lines === 0) return;
    this.#lost += lines;
    this.#unreported = { lines: (this.#unreported?.lines ?? 0) + lines, reason };
  }

  #nextPiece(): Piece {
    const losses = this.#unreported;
    const report = losses === undefined ? '' : (this.#options.report?.(losses) ?? '');
    const before = (this.#isCut ? '\n' : '') + report;
    let count = 0;
    let text = '';
    while (count < this.#waiting.length && text.length < PIECE_LENGTH) text += this.#waiting[count++];
    this.#waiting.splice(0, count);
    this.#waitingLength -= text.length;
    return { octets: Buffer.from(before + text), linesAt: Buffer.byteLength(before), losses };
  }
}

/** `losses` without the `known` ones; `undefined` if all are known. */
function remainder(losses: Losses | undefined, known: Losses): Losses | undefined {
  if (losses === undefined || losses.lines <= known.lines) return undefined;
  return { lines: losses.lines - known.lines, reason: losses.reason };
}

/** End of a write from `start`, so that it ends with a line end. */
function lineEnd(octets: Buffer, start: number, maxOctets: number): number {
  if (octets.length - start <= maxOctets) return octets.length;
  const last = octets.lastIndexOf(NEWLINE, start + maxOctets - 1);
  return 1 + (last >= start ? last : octets.indexOf(NEWLINE, start));
}

function newlinesIn(octets: Buffer, start: number): number {
  let count = 0;
  for (let at = octets.indexOf(NEWLINE, start); at >= 0; at = octets.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

function linesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}
