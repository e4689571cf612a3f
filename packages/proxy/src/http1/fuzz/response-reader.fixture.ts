import { DEFAULT_LIMITS } from '../../engine/limits.ts';
import { ChunkedDecoder } from '../chunked.ts';
import { PartialHead } from '../partial-head.ts';
import { normalLine, octetClasses } from '../request-reader.fixture.ts';
import { NO_EDITS } from '../response-edits.fixture.ts';
import { mayBeginResponse, type ResponseFraming, ResponseHead } from '../response-head.ts';

/** One response as the parsers of the engine read it. */
export interface ReadResponse {
  readonly status: number;
  readonly reason: string;
  readonly version: string;
  /** Fields that a client would get, as `name: value`, in order. */
  readonly fields: readonly string[];
  readonly framing: ResponseFraming;
  body: string;
  isComplete: boolean;
}

/** Reads the interim responses and the final one to a request, as a node connection does, from octets in any pieces. */
export class ResponseReader {
  readonly responses: ReadResponse[] = [];
  /** Reason of a refusal; `''` without one. */
  why = '';
  readonly #method: string;
  readonly #partial = new PartialHead();
  readonly #head = new ResponseHead();
  readonly #decoder = new ChunkedDecoder(DEFAULT_LIMITS);
  #left = 0;
  #isOver = false;

  constructor(method: string) {
    this.#method = method;
  }

  push(piece: Buffer): void {
    let octets: Buffer = Buffer.from(piece);
    while (octets.length > 0 && this.why === '' && !this.#isOver) {
      const last = this.responses.at(-1);
      octets = last && !last.isComplete ? octets.subarray(this.#readBody(last, octets)) : this.#readHead(octets);
    }
  }

  /** The node has closed its side. */
  end(): void {
    const last = this.responses.at(-1);
    if (last?.framing === 'close') last.isComplete = true;
  }

  #readHead(piece: Buffer): Buffer {
    const octets = this.#partial.join(piece);
    const end = this.#partial.endIn(octets, 0);
    if (end < 0) {
      this.#partial.hold(octets);
      if (this.#partial.hasBareLineEnd()) this.why = 'a bare line end';
      else if (!mayBeginResponse(octets)) this.why = 'not HTTP';
      return octets.subarray(octets.length);
    }
    this.#partial.clear();
    const head = this.#head;
    const why = head.read(octets, 0, end, this.#method, NO_EDITS, DEFAULT_LIMITS);
    if (why !== undefined) {
      this.why = why;
      return octets;
    }
    const isFinal = head.status >= 200;
    const isSwitch = head.status === 101;
    this.responses.push({
      status: head.status,
      reason: head.reason,
      version: head.isHttp10 ? '1.0' : '1.1',
      fields: head.forwarded
        .split('\r\n')
        .filter((line) => line !== '')
        .map((line) => normalLine(line)),
      framing: head.framing,
      body: '',
      isComplete: head.framing === 'none',
    });
    this.#left = head.framing === 'length' ? head.bodyLength : 0;
    this.#decoder.reset();
    this.#isOver = isSwitch || (isFinal && head.framing === 'none');
    return octets.subarray(end + 4);
  }

  #readBody(response: ReadResponse, octets: Buffer): number {
    if (response.framing === 'close') {
      response.body += octets.toString('latin1');
      return octets.length;
    }
    if (response.framing === 'length') {
      const end = Math.min(octets.length, this.#left);
      this.#left -= end;
      response.body += octets.toString('latin1', 0, end);
      response.isComplete = this.#left === 0;
      this.#isOver = response.isComplete;
      return end;
    }
    const end = this.#decoder.decode(octets, 0, octets.length);
    response.body += octets.toString('latin1', this.#decoder.payloadStart, this.#decoder.payloadEnd);
    response.isComplete = this.#decoder.isDone;
    this.#isOver = response.isComplete;
    if (this.#decoder.isBroken) this.why = `broken chunk at ${octetClasses(octets, end)}`;
    return end;
  }
}
