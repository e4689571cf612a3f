/** One worker's end of the feed: frames both ways, questions and their answers. */
import type {
  BalancerName,
  FeedQuestion,
  FeedToCoordinator,
  FeedToWorker,
  Malformed,
  WorkerAnswer,
  WorkerHello,
} from '@rollcall/protocol';
import { decodeFeedToCoordinator, encode } from '@rollcall/protocol';
import type { WebSocket } from 'ws';

/** What the feed server does with a worker's words. */
export interface FeedSurroundings {
  onHello(connection: FeedConnection, hello: WorkerHello): void;
  onMessage(connection: FeedConnection, message: Exclude<FeedToCoordinator, WorkerHello | WorkerAnswer>): void;
  onMalformed(connection: FeedConnection, fault: Malformed): void;
  onClosed(connection: FeedConnection): void;
}

const HELLO_WITHIN_MS = 5_000;
/** A worker that takes in less than we send is cut off beyond this and starts again from a snapshot, bytes. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
/** Buffered part of a snapshot beyond which the next one is made later, bytes. */
const PACED_BYTES = 2 * 1024 * 1024;
const MAX_QUESTIONS = 1_000;
const PING_MS = 5_000;
/** Pings without an answer after which the worker, or the way to it, is gone. */
const MAX_UNANSWERED_PINGS = 3;
const CLOSE_WITHIN_MS = 1_000;
/** A share that differs less than this from what was told, by ratio, is as good as the same. */
const SHARE_STEP = 0.1;
/** What a worker closes with when it has ended (RFC 6455 §7.4.1). */
const NORMAL_CLOSURE = 1_000;

export class FeedConnection {
  readonly #socket: WebSocket;
  readonly #around: FeedSurroundings;
  readonly #helloTimer: NodeJS.Timeout;
  readonly #pingTimer: NodeJS.Timeout;
  readonly #questions = new Map<number, (answer: WorkerAnswer['answer'] | undefined) => void>();
  #closeTimer: NodeJS.Timeout | undefined;
  #unansweredPings = 0;
  #nextQuestion = 1;
  /** What the worker was told of its parts of the requests. */
  readonly #toldShares = new Map<BalancerName, number>();
  /** The worker has closed it in order: it serves nobody any more. */
  hasEnded = false;
  #worker: string | undefined;
  /** What is sent as soon as the worker has read what was sent before. */
  readonly #queue: (string | Generator<string, void>)[] = [];
  #queuedChars = 0;
  #isClosing = false;

  constructor(socket: WebSocket, around: FeedSurroundings) {
    this.#socket = socket;
    this.#around = around;
    this.#helloTimer = setTimeout(() => socket.terminate(), HELLO_WITHIN_MS);
    this.#pingTimer = setInterval(() => this.#ping(), PING_MS);
    socket.on('message', (data, isBinary) => {
      if (isBinary) socket.terminate();
      else this.#take(data.toString());
    });
    socket.on('pong', () => {
      this.#unansweredPings = 0;
    });
    // What broke is told by the close that follows.
    socket.on('error', () => undefined);
    socket.on('close', (code) => this.#onClose(code));
  }

  /** Its name, once it has said hello. */
  get worker(): string | undefined {
    return this.#worker;
  }

  /** Sends, or cuts off a worker that does not keep up: it comes back and gets the whole. */
  send(message: FeedToWorker): void {
    this.sendText(encode(message));
  }

  /** The same for a message that many workers get. */
  sendText(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#queue.length > 0) {
      this.#queue.push(text);
      this.#queuedChars += text.length;
      if (this.#queuedChars > MAX_BUFFERED_BYTES) this.#socket.terminate();
    } else if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) this.#socket.terminate();
    else this.#socket.send(text);
  }

  /** Sends frames at the pace at which the worker reads them; what is sent after this call comes after them. */
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
        // The rest follows when this frame is on its way.
        this.#socket.send(next.value, () => this.#pump());
        return;
      }
      this.#socket.send(next.value);
    }
  }

  /** Whether the worker has to be told its share of a balancer's requests: at first, and when it differs by a tenth. */
  learnsShare(balancer: BalancerName, share: number): boolean {
    const told = this.#toldShares.get(balancer);
    if (told !== undefined && Math.abs(share - told) < SHARE_STEP * told) return false;
    this.#toldShares.set(balancer, share);
    return true;
  }

  /** Asks the worker; `undefined` when it does not answer within `timeoutMs` or goes away. */
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

  /** Closes it in order; nothing of what still comes is taken in. */
  close(code: number, reason: string): void {
    this.#isClosing = true;
    this.#socket.close(code, reason);
    this.#closeTimer = setTimeout(() => this.#socket.terminate(), CLOSE_WITHIN_MS);
  }

  #take(text: string): void {
    if (this.#isClosing) return;
    const message = decodeFeedToCoordinator(text);
    if (message.type === 'malformed') {
      this.#around.onMalformed(this, message);
      this.#socket.terminate();
    } else if (message.type === 'hello') this.#hello(message);
    else if (this.#worker === undefined) this.#socket.terminate();
    else if (message.type === 'unknown') return;
    else if (message.type === 'answer') this.#questions.get(message.id)?.(message.answer);
    else this.#around.onMessage(this, message);
  }

  #hello(hello: WorkerHello): void {
    if (this.#worker !== undefined) {
      this.#socket.terminate();
      return;
    }
    clearTimeout(this.#helloTimer);
    this.#worker = hello.worker;
    this.#around.onHello(this, hello);
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
    this.#around.onClosed(this);
  }
}
