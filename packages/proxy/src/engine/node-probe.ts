/**
 * One question to a node that no client has asked: does it answer? Sent on a connection of the node's pool, so that an answer on it shows
 * that the same process still holds it, or on a fresh one, which goes into the pool afterwards.
 */
import type { ProbeKind } from '@rollcall/protocol';
import { PROBE_FIELD } from '@rollcall/protocol';
import type { Failure } from '../failure.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { Downstream } from './downstream.ts';
import type { NodeConnection } from './node-connection.ts';

/** What is asked, and who wants to know. */
export interface ProbeQuestion {
  readonly kind: ProbeKind;
  /** What HEAD asks for, with kind `head`. */
  readonly path: string;
  /** 32 hex digits. */
  readonly nonce: string;
  readonly version: string;
  /** How long the probe stays open without an answer, milliseconds. */
  readonly openMs: number;
  /** Any response head. `proof` is what it carried; `''` for none. */
  onAnswer(connectedAtMs: number, proof: string): void;
  /** With kind `connect`: the connect went through. */
  onConnected(connectedAtMs: number): void;
  /** `wasPooled`: the connection had served requests before. */
  onFailure(failure: Failure, wasPooled: boolean): void;
}

export class NodeProbe implements Downstream {
  readonly method: 'OPTIONS' | 'HEAD';
  readonly isClientSlow = false;
  readonly isClientDue = false;
  readonly isRequestComplete = true;
  readonly nodeAuthority = '';
  readonly publicOrigin = '';
  readonly rewriteCookies: readonly string[] = [];
  readonly rewriteRoute = '';
  readonly #question: ProbeQuestion;
  #isOver = false;

  constructor(question: ProbeQuestion) {
    this.#question = question;
    this.method = question.kind === 'head' ? 'HEAD' : 'OPTIONS';
  }

  /** Sends the question on `connection`. */
  ask(connection: NodeConnection, nowMs: number): void {
    connection.begin(this, nowMs);
    if (this.#question.kind !== 'connect') connection.writer.write(this.#text(connection.node.authority));
  }

  #text(authority: string): string {
    const { kind, path, nonce, version } = this.#question;
    const target = kind === 'head' ? path : '*';
    return `${this.method} ${target} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: rollcall-probe/${version}\r\n${PROBE_FIELD}: ${nonce}\r\n\r\n`;
  }

  headTimeoutMs(): number {
    return this.#question.openMs;
  }

  onConnected(connection: NodeConnection): void {
    if (this.#question.kind !== 'connect' || this.#isOver) return;
    this.#isOver = true;
    connection.destroy();
    this.#question.onConnected(connection.openedAtMs);
  }

  onHead(connection: NodeConnection, head: ResponseHead): string {
    this.#isOver = true;
    this.#question.onAnswer(connection.openedAtMs, head.proof);
    return '';
  }

  onSwitch(connection: NodeConnection): void {
    connection.destroy();
    if (!this.#isOver) this.#question.onAnswer(connection.openedAtMs, '');
    this.#isOver = true;
  }

  onNodeFailed(connection: NodeConnection, failure: Failure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#question.onFailure(failure, connection.served > 0);
  }

  onInterim(): void {}

  onNodeDrained(): void {}

  writeBody(): void {}

  onBodyEnd(): void {}
}
