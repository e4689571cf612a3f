import type { Fault } from '@rollcall/protocol';

/** Why a process may not report for the node, or may no longer. Its code may be one that this version does not know. */
export type Refusal = Pick<Fault, 'message' | 'holderConnected'> & { readonly code: string };
