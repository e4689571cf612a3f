/** Types of an operation, from its name. */
import type { Operations } from './operations.ts';

/** `operationId` of the OpenAPI document. */
export type OperationId = keyof Operations;
export type OperationInput<Id extends OperationId> = Operations[Id]['input'];
export type OperationAnswer<Id extends OperationId> = Operations[Id]['answer'];

/** Operations that can answer with a stream of events. */
export type StreamId = {
  [Id in OperationId]: Operations[Id] extends { readonly events: object } ? Id : never;
}[OperationId];

/** An event of a stream: `event` names the kind of `data`. `id` is empty before the first event with an id. */
export type StreamOf<Id extends StreamId> = {
  [Kind in keyof Operations[Id]['events']]: {
    readonly event: Kind;
    readonly id: string;
    readonly data: Operations[Id]['events'][Kind];
  };
}[keyof Operations[Id]['events']];
