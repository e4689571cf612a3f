/**
 * The last known cluster in a file, so that a worker that is started again after a crash serves at once. The file is written
 * under another name and renamed, so that it is always complete.
 */
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  readFeedBalancer,
  readFeedNode,
  readReachBounds,
  readRememberedContext,
  readRememberedRoute,
} from '@rollcall/feed';
import { FaultBox, Fields, isObject } from '@rollcall/protocol';
import type { ClusterSnapshot } from '../cluster/cluster-view.ts';

/** From a file older than this only the routes are used, milliseconds. */
export const TRUSTED_MS = 60_000;
/** Maximum size of a file that is read, bytes. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;
/** Maximum number of nodes, of balancers and of routes that are read. */
const MAX_ITEMS = 100_000;
const FORMAT = 1;
const NODES_A_PIECE = 100;

/** A snapshot and the instant at which it was written, Unix milliseconds. */
export interface SavedSnapshot {
  readonly writtenAtUnixMs: number;
  readonly epoch: string;
  readonly revision: number;
  readonly snapshot: ClusterSnapshot;
}

/** Writes `saved` to `path` in one step; readable by its owner only. Rejects with the system's error. */
export async function writeSnapshotFile(path: string, saved: SavedSnapshot): Promise<void> {
  const { snapshot, ...head } = saved;
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, textOf(head, snapshot), { mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Removes the files that killed workers have left beside `path` during a write. */
export async function removeLeftovers(path: string): Promise<void> {
  const [folder, file] = [dirname(path), basename(path)];
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = name.startsWith(`${file}.`) && /^\.(\d{1,10})\.tmp$/.exec(name.slice(file.length))?.[1];
    if (pid && (Number(pid) === process.pid || !isRunning(Number(pid))))
      await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** One JSON object, in pieces: encoding a thousand nodes at once would delay requests. */
function* textOf(head: Omit<SavedSnapshot, 'snapshot'>, { nodes, ...others }: ClusterSnapshot): Generator<string> {
  yield `${JSON.stringify({ format: FORMAT, ...head, ...others }).slice(0, -1)},"nodes":[`;
  for (let start = 0; start < nodes.length; start += NODES_A_PIECE) {
    const piece = JSON.stringify(nodes.slice(start, start + NODES_A_PIECE)).slice(1, -1);
    yield start === 0 ? piece : `,${piece}`;
  }
  yield ']}';
}

/** Content of the file; `undefined` without a file; a sentence when it cannot be used. Never rejects. */
export async function readSnapshotFile(path: string): Promise<SavedSnapshot | string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) return `${size} bytes are more than ${MAX_FILE_BYTES}`;
    return decodeSnapshot(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    return error instanceof Error ? error.message : String(error);
  }
}

/** True while the nodes in a file may be used, and not only its routes. False after the clock was set back. */
export function isTrusted({ writtenAtUnixMs }: SavedSnapshot, nowUnixMs: number): boolean {
  return writtenAtUnixMs <= nowUnixMs && nowUnixMs - writtenAtUnixMs <= TRUSTED_MS;
}

/** Its nodes with the ages that they have `elapsedMs` after it was written. */
export function aged({ nodes, contexts = [], ...others }: ClusterSnapshot, elapsedMs: number): ClusterSnapshot {
  return {
    ...others,
    contexts: contexts.map((context) => ({ ...context, emptyMs: context.emptyMs + elapsedMs })),
    nodes: nodes.map((node) => ({
      ...node,
      ...(node.ageMs !== undefined && { ageMs: node.ageMs + elapsedMs }),
      ...(node.loadAgeMs !== undefined && { loadAgeMs: node.loadAgeMs + elapsedMs }),
      ...(node.drainMs !== undefined && { drainMs: Math.max(0, node.drainMs - elapsedMs) }),
    })),
  };
}

/** Reads the text of a file and validates everything; a sentence when it is not a snapshot. */
export function decodeSnapshot(text: string): SavedSnapshot | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  if (!isObject(value)) return 'not a JSON object';
  const fields = new Fields(value, '', new FaultBox());
  if (fields.number('format', { min: FORMAT, max: FORMAT }) === undefined) return 'not of this format';
  const reach = readReachBounds(fields.object('reach'));
  const saved: SavedSnapshot = {
    writtenAtUnixMs: fields.number('writtenAtUnixMs', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0,
    epoch: fields.text('epoch', 64) ?? '',
    revision: fields.number('revision', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0,
    snapshot: {
      nodes: fields.objects('nodes', MAX_ITEMS, readFeedNode) ?? [],
      balancers: fields.objects('balancers', MAX_ITEMS, readFeedBalancer) ?? [],
      remembered: fields.objects('remembered', MAX_ITEMS, readRememberedRoute) ?? [],
      contexts: fields.objects('contexts', MAX_ITEMS, readRememberedContext) ?? [],
      ...(reach && { reach }),
    },
  };
  return fields.fault?.message ?? saved;
}
