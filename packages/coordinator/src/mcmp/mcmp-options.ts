/** Options of the listener for nodes of mod_cluster. */
export interface McmpOptions {
  /** Port 0 takes a free port. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Ranges of nodes that need no client certificate, besides loopback; `RANGE=TOKEN` stands for a token. Default: none. */
  readonly allow?: readonly string[];
  /** Requests are matched with the aliases of the nodes. Default false. */
  readonly hasAliases?: boolean;
  /** Default: not advertised. */
  readonly advertise?: AdvertiseOptions;
}

/** How nodes find the listener by multicast. */
export interface AdvertiseOptions {
  /** Address and port of the group, IPv4. */
  readonly group: { readonly host: string; readonly port: number };
  /** IPv4 address of this machine by which nodes reach the listener. The datagrams are sent from its interface. */
  readonly address: string;
  /** AdvertiseSecurityKey of the nodes. Default: none. */
  readonly key?: string;
}
