/** A change of what coordinators share, as the registry reports it. */
import type { Remaining } from '../../replication/shared-record.ts';

/** What this coordinator has under a key of a shared record. */
export interface SharedChange {
  readonly key: string;
  /** As in `SharedRecord`; `undefined`: nothing. */
  readonly value: unknown;
  readonly remaining: Remaining;
  /** The process of the node has ended. */
  readonly end?: 'left' | 'removed';
  /** An operator has removed the node while it was gone. Another process of it may have a record. */
  readonly isForgotten?: true;
  /** Without a value: this coordinator has no state that differs from the record. The record comes into force. */
  readonly isUnknown?: true;
}
