/** Keys of the registry's records in the store; see `StoredRecord`. */
export const recordKey = {
  cluster: 'cluster/id',
  node: (id: string): string => `node/${id}`,
  override: (id: string): string => `override/${id}`,
  balancer: (name: string): string => `balancer/${name}`,
} as const;
