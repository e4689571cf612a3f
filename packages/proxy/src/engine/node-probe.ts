/**
 * A request of the proxy itself that checks whether a node answers. On a connection of the node's pool the answer shows that the same
 * process still holds the connection. A fresh connection goes into the pool afterwards.
 */
import type { ProbeKind } from '@rollcall/feed';
import { PROBE_FIELD } from '@rollcall/protocol';
import type { RequestFacts } from '../ajp/forward-request.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { Downstream, Upstream } from './ends.ts';
import type { Failure } from './failure.ts';

/** Content of a probe, and the callbacks for its result. */
export interface ProbeQuestion {
  readonly kind: ProbeKind;
  /** Target of the HEAD request, with kind `head`. */
  readonly path: string;
  /** 32 hex digits. */
  readonly nonce: string;
  readonly version: string;
  /** How long the probe stays open without an answer, milliseconds. */
  readonly openMs: number;
  /** Any response head. `proof` is the value of its proof field; `''` for none. */
  onAnswer(connectedAtMs: number, proof: string): void;
  /** With kind `connect`: the connection was established. */
  onConnected(connectedAtMs: number): void;
  /** `failure` is a kind. `wasPooled`: the connection had served requests before. */
  onFailure(failure: Failure, wasPooled: boolean): void;
}

/** A probe over AJP is CPING, which has no facts. */
const NO_FACTS: RequestFacts = {
  remoteAddress: '',
  isSecure: false,
  tls: undefined,
  bodyLength: 0,
  expectsContinue: false,
};

export class NodeProbe implements Downstream {
  readonly method: 'OPTIONS' | 'HEAD';
  readonly isClientSlow = false;
  readonly isClientDue = false;
  readonly isRequestComplete = true;
  readonly limits: undefined = undefined;
  readonly publicOrigin = '';
  readonly prefix = '';
  readonly target = '*';
  readonly rewriteCookies: readonly string[] = [];
  readonly rewriteRoute = '';
  readonly #question: ProbeQuestion;
  #isOver = false;

  constructor(question: ProbeQuestion) {
    this.#question = question;
    this.method = question.kind === 'head' ? 'HEAD' : 'OPTIONS';
  }

  /** Sends the probe on `connection`. */
  ask(connection: Upstream, nowMs: number): void {
    connection.begin(this, nowMs);
    if (this.#question.kind !== 'connect') connection.probe(this.#text(connection.node.authority));
  }

  #text(authority: string): string {
    const { kind, path, nonce, version } = this.#question;
    const target = kind === 'head' ? path : '*';
    return `${this.method} ${target} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: rollcall-probe/${version}\r\n${PROBE_FIELD}: ${nonce}\r\n\r\n`;
  }

  prefixAt(): undefined {}

  facts(): RequestFacts {
    return NO_FACTS;
  }

  headTimeoutMs(): number {
    return this.#question.openMs;
  }

  onConnected(connection: Upstream): void {
    if (this.#question.kind !== 'connect' || this.#isOver) return;
    this.#isOver = true;
    connection.destroy();
    this.#question.onConnected(connection.openedAtMs);
  }

  onHead(connection: Upstream, head: ResponseHead): string {
    this.#isOver = true;
    this.#question.onAnswer(connection.openedAtMs, head.proof);
    return '';
  }

  onSwitch(connection: Upstream): void {
    connection.destroy();
    if (!this.#isOver) this.#question.onAnswer(connection.openedAtMs, '');
    this.#isOver = true;
  }

  onNodeFailed(connection: Upstream, failure: Failure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#question.onFailure(failure.kind, connection.served > 0);
  }

  onInterim(): void {}

  onNodeDrained(): void {}

  writeBody(): void {}

  onBodyEnd(): void {}
}
