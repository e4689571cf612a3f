/** Options of the listener for nodes of mod_cluster. */
export interface McmpOptions {
  /** Port 0 takes a free port. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Ranges of nodes that need no client certificate, besides loopback. Default: none. */
  readonly allow?: readonly string[];
}
