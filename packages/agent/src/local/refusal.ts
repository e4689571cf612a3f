import type { Fault } from '@rollcall/protocol';

/** Reason why a process may not report for the node. The code may be unknown to this version. */
export type Refusal = Pick<Fault, 'message' | 'holderConnected'> & { readonly code: string };
