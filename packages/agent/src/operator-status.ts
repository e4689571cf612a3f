/** The operator's status of a node that several coordinators have sent. */
import type { OperatorStatusMessage, Status } from '@rollcall/protocol';

const ORDER = { enabled: 0, draining: 1, stopped: 2 } as const;

export const OPERATOR_ENABLED: OperatorStatusMessage = { type: 'status', status: 'enabled' };

/** The more restrictive of two statuses. */
export function stricter(one: Status, other: Status): Status {
  return ORDER[other] > ORDER[one] ? other : one;
}

/** The first of the most restrictive messages; `enabled` for an empty list. */
export function strictest(messages: readonly OperatorStatusMessage[]): OperatorStatusMessage {
  return messages.reduce(
    (most, message) => (ORDER[message.status] > ORDER[most.status] ? message : most),
    messages[0] ?? OPERATOR_ENABLED,
  );
}

/** Whether both messages have the same status, reason and deadline. */
export function isSameOperatorStatus(one: OperatorStatusMessage, other: OperatorStatusMessage): boolean {
  return one.status === other.status && one.reason === other.reason && one.deadlineMs === other.deadlineMs;
}
