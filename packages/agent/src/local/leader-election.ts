/**
 * Leader election among the workers of `node:cluster` that serve one port. The workers of a port are one node; the leader
 * connects to the coordinators, and the others report to it. They share a directory of the user, in which the leader listens.
 *
 * ```
 *   probe the sockets in the directory ─leader found─▶ follow it
 *            │ no leader                                  ▲
 *   listen as a candidate ─leader found, or a candidate with a lower number: stop listening
 *            │ neither, and no new socket since the directory was read
 *            ▼
 *          lead
 * ```
 *
 * The number of a worker is unique while its primary process lives, and so is the name of its socket. A socket that refuses
 * connections therefore belongs to a dead worker and can be removed. Two workers cannot both lead: both listen before they
 * read the directory, so one of them sees the other. A candidate reads the directory and starts to lead in one synchronous
 * step.
 */
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { NodeSocket, type NodeSocketOptions } from './node-socket.ts';
import { type NodeSocketName, newSecret } from './node-socket-name.ts';

export interface LeaderElectionOptions extends Omit<NodeSocketOptions, 'name'> {
  /** Directory of this port only; created for this user if it is absent. */
  readonly directory: string;
  /** Unique among the workers of the port. */
  readonly number: number;
  /** Called when this worker becomes the leader. `socket` is open. */
  readonly onLead: (socket: NodeSocket, name: NodeSocketName) => void;
}

/** Timeout of a probe, in milliseconds. A worker that does not answer is busy, not dead. */
const ASK_MS = 1_000;
const RETRY_MS = 50;
const SECRET = 'secret';
/** Symbolic link to the socket of the leader. */
const LEADER = 'leader.sock';

type Answer = 'leader' | 'candidate' | 'gone';

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  /** Changes when a cleaner of temporary files has removed the directory. */
  #secret: string;
  #own: NodeSocket | undefined;

  /** Throws if the directory cannot be created, or belongs to another user. */
  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#secret = secretOf(options.directory);
  }

  /** The socket of the present leader, the same name for all workers. */
  get name(): NodeSocketName {
    return { path: join(this.#options.directory, LEADER), secret: this.#secret };
  }

  get isLeading(): boolean {
    return this.#own?.isLeading === true;
  }

  /** Resolves when there is a leader: another worker, or this worker. Rejects if the directory is unusable. */
  async elect(): Promise<void> {
    while (!this.isLeading) {
      this.#secret = secretOf(this.#options.directory);
      if (await this.#hasLeader(this.#others())) return;
      await this.#listen();
      const seen = this.#others();
      const hasLeader = await this.#hasLeader(seen);
      if (hasLeader || (await this.#hasLowerCandidate(seen))) {
        this.#stopListening();
        if (hasLeader) return;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      } else if (this.#others().every((number) => seen.includes(number))) this.#lead();
    }
  }

  /** Ends the leadership; the other workers elect another leader. A repeated call changes nothing. */
  close(): void {
    const wasListening = this.#own !== undefined;
    this.#stopListening();
    if (!wasListening || this.#others().length > 0) return;
    rmSync(join(this.#options.directory, LEADER), { force: true });
  }

  /** Removes the directory after the node has left, unless other workers use it. */
  remove(): void {
    this.close();
    if (this.#others().length === 0) rmSync(this.#options.directory, { recursive: true, force: true });
  }

  /** False if the directory was removed. Other workers may then use a new one. */
  get isCurrent(): boolean {
    try {
      return readFileSync(join(this.#options.directory, SECRET), 'utf8') === this.#secret;
    } catch {
      return false;
    }
  }

  /** Updates the times of the directory, because cleaners of temporary files use its age. */
  touch(): void {
    const now = new Date();
    for (const name of ['', SECRET]) {
      try {
        utimesSync(join(this.#options.directory, name), now, now);
      } catch {
        // Removed by such a cleaner: the workers elect a leader in a new directory when they lose this leader.
      }
    }
  }

  async #listen(): Promise<void> {
    if (this.#own !== undefined) return;
    const { timers, listener, number } = this.#options;
    const name = { path: this.#pathOf(number), secret: this.#secret };
    const own = await NodeSocket.listen({ name, timers, listener });
    own.isLeading = false;
    this.#own = own;
  }

  #stopListening(): void {
    this.#own?.close();
    this.#own = undefined;
  }

  #lead(): void {
    const own = this.#own!;
    const draft = join(this.#options.directory, `${this.#options.number}.draft`);
    rmSync(draft, { force: true });
    symlinkSync(`${this.#options.number}.sock`, draft);
    renameSync(draft, this.name.path);
    own.isLeading = true;
    this.#options.onLead(own, this.name);
  }

  /** Numbers of other workers that listen or have listened, ascending; empty if the directory was removed. */
  #others(): readonly number[] {
    return namesIn(this.#options.directory)
      .map((name) => /^(\d{1,15})\.sock$/.exec(name)?.[1])
      .filter((text) => text !== undefined)
      .map(Number)
      .filter((number) => number !== this.#options.number)
      .sort((a, b) => a - b);
  }

  async #hasLeader(numbers: readonly number[]): Promise<boolean> {
    const answers = await Promise.all(numbers.map((number) => this.#ask(number)));
    return answers.includes('leader');
  }

  async #hasLowerCandidate(numbers: readonly number[]): Promise<boolean> {
    const lower = numbers.filter((number) => number < this.#options.number);
    const answers = await Promise.all(lower.map((number) => this.#ask(number)));
    return answers.some((answer) => answer !== 'gone');
  }

  #ask(number: number): Promise<Answer> {
    const socketPath = this.#pathOf(number);
    return new Promise((resolve) => {
      const asked = request({ socketPath, path: '/', timeout: ASK_MS, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode === 426 ? 'leader' : 'candidate');
      });
      asked.on('timeout', () => {
        resolve('leader');
        asked.destroy();
      });
      asked.on('error', ({ code }: NodeJS.ErrnoException) => {
        if (code === 'ECONNREFUSED') rmSync(socketPath, { force: true });
        resolve('gone');
      });
      asked.on('socket', (socket) => socket.unref());
      asked.end();
    });
  }

  #pathOf(number: number): string {
    return join(this.#options.directory, `${number}.sock`);
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** The secret in `directory`; the first worker creates it. */
function secretOf(directory: string): string {
  const path = join(directory, SECRET);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const made = lstatSync(directory);
  if (!made.isDirectory() || made.uid !== process.getuid?.()) throw new Error(`${directory} belongs to another user`);
  const draft = join(directory, `secret.${process.pid}`);
  writeFileSync(draft, newSecret(), { mode: 0o600 });
  try {
    // Creating a link is atomic: other workers see the whole content.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, 'utf8');
}
