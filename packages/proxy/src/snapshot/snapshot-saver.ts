import type { ClusterView } from '../cluster/cluster-view.ts';
import type { Delay } from '../cluster/node-probes.ts';
import type { FeedLog } from '../feed/feed-client.ts';
import { type SavedSnapshot, writeSnapshotFile } from './snapshot-file.ts';

/** Minimum time between two writes, milliseconds. */
const SAVE_MS = 1_000;
/** An unchanged file is written again at this age, because its content is still current, milliseconds. */
const REFRESH_MS = 15_000;

/** Keeps the snapshot file current: soon after a change, at most once a second, one write at a time. */
export class SnapshotSaver {
  readonly #path: string;
  readonly #view: ClusterView;
  readonly #delay: Delay;
  readonly #nowMs: () => number;
  readonly #nowUnixMs: () => number;
  readonly #log: FeedLog;
  #cancel: () => void = () => {};
  #writing: Promise<void> | undefined;
  /** A write is due when the minimum time has passed. */
  #isDue = false;
  /** The minimum time between two writes has passed. */
  #isFree = true;
  #hasFailed = false;
  #isClosed = false;

  constructor(options: {
    readonly path: string;
    readonly view: ClusterView;
    readonly delay: Delay;
    readonly nowMs: () => number;
    readonly nowUnixMs: () => number;
    readonly log: FeedLog;
  }) {
    this.#path = options.path;
    this.#view = options.view;
    this.#delay = options.delay;
    this.#nowMs = options.nowMs;
    this.#nowUnixMs = options.nowUnixMs;
    this.#log = options.log;
  }

  /** The view has changed. */
  saveSoon(): void {
    if (this.#isClosed || !this.#view.isFilled) return;
    this.#isDue = true;
    if (this.#isFree && this.#writing === undefined) this.#write();
  }

  /** Writes a due file and ends. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel();
    await this.#writing;
    if (this.#isDue) await this.#save();
  }

  #write(): void {
    this.#isDue = false;
    this.#isFree = false;
    this.#cancel();
    this.#writing = this.#save().finally(() => {
      this.#writing = undefined;
      if (!this.#isClosed) this.#cancel = this.#delay(() => this.#onFree(), SAVE_MS);
    });
  }

  #onFree(): void {
    this.#isFree = true;
    if (this.#isDue) this.#write();
    else this.#cancel = this.#delay(() => this.saveSoon(), REFRESH_MS - SAVE_MS);
  }

  async #save(): Promise<void> {
    const saved: SavedSnapshot = {
      writtenAtUnixMs: this.#nowUnixMs(),
      epoch: this.#view.epoch,
      revision: this.#view.revision,
      snapshot: this.#view.snapshot(this.#nowMs()),
    };
    try {
      await writeSnapshotFile(this.#path, saved);
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) this.#log.warn({ err: error, path: this.#path }, 'the snapshot file cannot be written');
      this.#hasFailed = true;
    }
  }
}
