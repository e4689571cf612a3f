/** Lines that wait to be written, and the count of those that never will be. No file, no timer. */

/** So many characters are put together for a write. */
const PIECE_LENGTH = 65_536;
const NEWLINE = 10;

/** Lines that were lost, and why: an error code, or words. */
export interface Losses {
  readonly lines: number;
  readonly reason: string;
}

interface Piece {
  readonly octets: Buffer;
  /** Where the lines begin: before them may stand the end of a cut line and a report. */
  readonly linesAt: number;
  /** What the report in it is about, or what its lines make up for. */
  readonly losses: Losses | undefined;
}

export interface LineQueueOptions {
  /** Characters kept at most; a text that does not fit is lost. */
  readonly maxLength: number;
  /** A line about losses, with its line end, written before the next lines. Without it none is. */
  readonly report?: (losses: Losses) => string;
}

export class LineQueue {
  readonly #options: LineQueueOptions;
  #waiting: string[] = [];
  #waitingLength = 0;
  #piece: Piece | undefined;
  /** Octets of the piece that are written. */
  #written = 0;
  /** The last octet written is within a line whose rest is lost. */
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

  /** Nothing is to be written, not even a report. */
  get isEmpty(): boolean {
    const hasReport = this.#unreported !== undefined && this.#options.report !== undefined;
    return this.#piece === undefined && this.#waiting.length === 0 && !hasReport;
  }

  /** Keeps one or more lines, each with its line end; without room they are lost for `reason`. False: they were lost. */
  add(text: string, reason: string): boolean {
    const hasRoom = this.#waitingLength + text.length <= this.#options.maxLength;
    if (hasRoom) {
      this.#waiting.push(text);
      this.#waitingLength += text.length;
    } else this.#lose(linesIn(text), reason);
    return hasRoom;
  }

  /** What to write next: at most `maxOctets`, ending with a line, or one whole line that is longer. `undefined`: nothing. */
  next(maxOctets: number): Buffer | undefined {
    if (this.isEmpty) return undefined;
    this.#piece ??= this.#nextPiece();
    const { octets } = this.#piece;
    return octets.subarray(this.#written, lineEnd(octets, this.#written, maxOctets));
  }

  /** `count` octets of what `next` gave are written. Returns the losses that are thereby made known, once. */
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

  /** What was to be written now is lost for `reason`. */
  fail(reason: string): void {
    const piece = this.#piece;
    if (piece === undefined) return;
    if (this.#written > 0) this.#isCut = piece.octets[this.#written - 1] !== NEWLINE;
    this.#lose(newlinesIn(piece.octets, Math.max(this.#written, piece.linesAt)), reason);
    this.#drop();
  }

  /** Everything is lost for `reason`. */
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

/** What is left of `losses` once `known` of them are known. */
function remainder(losses: Losses | undefined, known: Losses): Losses | undefined {
  if (losses === undefined || losses.lines <= known.lines) return undefined;
  return { lines: losses.lines - known.lines, reason: losses.reason };
}

/** Where a write from `start` ends, so that it ends with a line. */
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
