/** Who has registered a node. */

/** The socket, or the PUT, that a node's messages come from; larger is newer. Unique while a coordinator runs. */
export type ConnectionId = number;

/** Determines the quotas that a registration counts for. */
export type QuotaStanding = 'token' | 'tokenless' | 'operator';
