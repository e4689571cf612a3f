/**
 * The random id of the cluster, which is part of the name of the route cookie: two clusters on one host keep their own cookies.
 * It is made once. The store has it for all coordinators, and the state directory while the store does not answer.
 */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseClusterId } from '@rollcall/core';
import type { ListenAddress } from './config.ts';
import { readIfThere } from './files/whole-file.ts';

const ID_BYTES = 16;

export function clusterIdPath(stateDir: string): string {
  return join(stateDir, 'cluster-id');
}

/** The id in the state directory; `undefined` without a file that has one. */
export async function readClusterId(stateDir: string): Promise<string | undefined> {
  const text = await readIfThere(clusterIdPath(stateDir)).catch(() => undefined);
  return text === undefined ? undefined : parseClusterId(text.trim());
}

export function randomClusterId(): string {
  return randomBytes(ID_BYTES).toString('hex');
}

/** A random id, or the same one at each start at this address if nothing can keep a random one. */
export function newClusterId(address: ListenAddress, isKept: boolean): string {
  if (isKept) return randomClusterId();
  const { host, port } = address;
  return createHash('sha256')
    .update(`${host}:${port}`)
    .digest('hex')
    .slice(0, 2 * ID_BYTES);
}
