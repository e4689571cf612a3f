/** The feed connection of one worker: frames in both directions, questions and answers. */
import type { FeedQuestion, FeedToCoordinator, FeedToWorker, WorkerAnswer, WorkerHello } from '@rollcall/feed';
import { decodeFeedToCoordinator, encodeFeed } from '@rollcall/feed';
import type { BalancerName, Malformed } from '@rollcall/protocol';
import type { WebSocket } from 'ws';

/** Callbacks of the feed server for messages of a worker. */
export interface FeedDependencies {
  onHello(connection: FeedConnection, hello: WorkerHello): void;
  onMessage(connection: FeedConnection, message: Exclude<FeedToCoordinator, WorkerHello | WorkerAnswer>): void;
  onMalformed(connection: FeedConnection, fault: Malformed): void;
  onClosed(connection: FeedConnection): void;
}

const HELLO_WITHIN_MS = 5_000;
/** Upper bound of unsent bytes. Beyond it the connection of a slow worker is destroyed; the worker reconnects and gets a snapshot. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
/** With more buffered bytes of a snapshot than this, the next part is made later. */
const PACED_BYTES = 2 * 1024 * 1024;
const MAX_QUESTIONS = 1_000;
const PING_MS = 5_000;
/** Number of unanswered pings after which the connection is assumed dead. */
const MAX_UNANSWERED_PINGS = 3;
const CLOSE_WITHIN_MS = 1_000;
/** A share is sent again if it differs from the last sent share by at least this ratio. */
const SHARE_STEP = 0.1;
/** Close code of a worker that has ended (RFC 6455 §7.4.1). */
const NORMAL_CLOSURE = 1_000;

export class FeedConnection {
  readonly #socket: WebSocket;
  readonly #dependencies: FeedDependencies;
  readonly #helloTimer: NodeJS.Timeout;
  readonly #pingTimer: NodeJS.Timeout;
  readonly #questions = new Map<number, (answer: WorkerAnswer['answer'] | undefined) => void>();
  #closeTimer: NodeJS.Timeout | undefined;
  #unansweredPings = 0;
  #nextQuestion = 1;
  /** The shares of the requests that were last sent to the worker. */
  readonly #toldShares = new Map<BalancerName, number>();
  /** The worker has closed the connection in order, so it serves no requests any more. */
  hasEnded = false;
  #worker: string | undefined;
  /** Frames to send as soon as the worker has read the earlier ones. */
  readonly #queue: (string | Generator<string, void>)[] = [];
  #queuedChars = 0;
  #isClosing = false;

  constructor(socket: WebSocket, dependencies: FeedDependencies) {
    this.#socket = socket;
    this.#dependencies = dependencies;
    this.#helloTimer = setTimeout(() => socket.terminate(), HELLO_WITHIN_MS);
    this.#pingTimer = setInterval(() => this.#ping(), PING_MS);
    socket.on('message', (data, isBinary) => {
      if (isBinary) socket.terminate();
      else this.#take(data.toString());
    });
    socket.on('pong', () => {
      this.#unansweredPings = 0;
    });
    // The close that follows reports the error.
    socket.on('error', () => undefined);
    socket.on('close', (code) => this.#onClose(code));
  }

  /** Name of the worker, known after its hello. */
  get worker(): string | undefined {
    return this.#worker;
  }

  /** Sends a message. The connection of a worker that is too slow is destroyed; the worker reconnects and gets a snapshot. */
  send(message: FeedToWorker): void {
    this.sendText(encodeFeed(message));
  }

  /** The same for an encoded message that many workers get. */
  sendText(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#queue.length > 0) {
      this.#queue.push(text);
      this.#queuedChars += text.length;
      if (this.#queuedChars > MAX_BUFFERED_BYTES) this.#socket.terminate();
    } else if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) this.#socket.terminate();
    else this.#socket.send(text);
  }

  /** Sends frames at the pace at which the worker reads them. Later messages are sent after them. */
  sendAll(frames: Generator<string, void>): void {
    this.#queue.push(frames);
    if (this.#queue.length === 1) this.#pump();
  }

  #pump(): void {
    while (this.#socket.readyState === this.#socket.OPEN) {
      const [first] = this.#queue;
      if (first === undefined) return;
      const next = typeof first === 'string' ? { value: first, done: false } : first.next();
      if (typeof first === 'string' || next.done) this.#queue.shift();
      if (next.done || next.value === undefined) continue;
      if (typeof first === 'string') this.#queuedChars -= first.length;
      if (this.#socket.bufferedAmount + next.value.length > PACED_BYTES) {
        // The other frames follow when this one is sent.
        this.#socket.send(next.value, () => this.#pump());
        return;
      }
      this.#socket.send(next.value);
    }
  }

  /** True if the share of a balancer's requests must be sent to the worker: at first, and when it differs by a tenth. */
  learnsShare(balancer: BalancerName, share: number): boolean {
    const reported = this.#toldShares.get(balancer);
    if (reported !== undefined && Math.abs(share - reported) < SHARE_STEP * reported) return false;
    this.#toldShares.set(balancer, share);
    return true;
  }

  /** Asks the worker. Resolves to `undefined` if it does not answer within `timeoutMs` or disconnects. */
  ask(question: FeedQuestion, timeoutMs: number): Promise<WorkerAnswer['answer'] | undefined> {
    if (this.#questions.size >= MAX_QUESTIONS) return Promise.resolve(undefined);
    const id = this.#nextQuestion++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => answered(undefined), timeoutMs);
      const answered = (answer: WorkerAnswer['answer'] | undefined): void => {
        clearTimeout(timer);
        this.#questions.delete(id);
        resolve(answer);
      };
      this.#questions.set(id, answered);
      this.send({ type: 'ask', id, question });
    });
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Closes the connection in order. Messages that still arrive are ignored. */
  close(code: number, reason: string): void {
    this.#isClosing = true;
    this.#socket.close(code, reason);
    this.#closeTimer = setTimeout(() => this.#socket.terminate(), CLOSE_WITHIN_MS);
  }

  #take(text: string): void {
    if (this.#isClosing) return;
    const message = decodeFeedToCoordinator(text);
    if (message.type === 'malformed') {
      this.#dependencies.onMalformed(this, message);
      this.#socket.terminate();
    } else if (message.type === 'hello') this.#hello(message);
    else if (this.#worker === undefined) this.#socket.terminate();
    else if (message.type === 'unknown') return;
    else if (message.type === 'answer') this.#questions.get(message.id)?.(message.answer);
    else this.#dependencies.onMessage(this, message);
  }

  #hello(hello: WorkerHello): void {
    if (this.#worker !== undefined) {
      this.#socket.terminate();
      return;
    }
    clearTimeout(this.#helloTimer);
    this.#worker = hello.worker;
    this.#dependencies.onHello(this, hello);
  }

  #ping(): void {
    if (this.#unansweredPings >= MAX_UNANSWERED_PINGS) this.#socket.terminate();
    else if (this.#socket.readyState === this.#socket.OPEN) {
      this.#unansweredPings += 1;
      this.#socket.ping();
    }
  }

  #onClose(code: number): void {
    this.hasEnded = code === NORMAL_CLOSURE;
    clearTimeout(this.#helloTimer);
    clearTimeout(this.#closeTimer);
    clearInterval(this.#pingTimer);
    for (const answered of this.#questions.values()) answered(undefined);
    this.#dependencies.onClosed(this);
  }
}
