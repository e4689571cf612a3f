/** Keys of what the registry has the store remember; see `StoredRecord`. */
export const recordKey = {
  node: (id: string): string => `node/${id}`,
  override: (id: string): string => `override/${id}`,
  balancer: (name: string): string => `balancer/${name}`,
} as const;
