import { hashText } from '../sticky/text-hash.ts';

/** Keys of the registry's records in the store; see `StoredRecord`. */
export const recordKey = {
  cluster: 'cluster/id',
  node: (id: string): string => `node/${id}`,
  /** One of them per coordinator, with its id after the node's. */
  report: (id: string): string => `report/${id}`,
  override: (id: string): string => `override/${id}`,
  balancer: (name: string): string => `balancer/${name}`,
  /** A hash, because host and path together are longer than a key. */
  context: (host: string, path: string): string => `context/${hex(`${host} ${path}`, 0)}${hex(`${host} ${path}`, 1)}`,
} as const;

function hex(text: string, seed: number): string {
  return hashText(text, seed).toString(16).padStart(8, '0');
}
