/** Public interface of the package: a client of the admin API, and the table of its operations. */
export {
  AdminClient,
  type AdminClientOptions,
  type CallOptions,
  type Exchange,
  type FollowOptions,
  type Given,
  type Transport,
  type TransportRequest,
} from './admin-client.ts';
export { AdminProblem } from './admin-problem.ts';
export type { OperationAnswer, OperationId, OperationInput, StreamId, StreamOf } from './operation-types.ts';
export { OPERATIONS, type Operations } from './operations.ts';
