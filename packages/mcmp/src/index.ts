/** MCMP: nodes of mod_cluster in the registry. The one front door of the package. */
export { type AdvertisedState, datagram, saltOf } from './advertise/datagram.ts';
export { type Answer, type FaultAnswer, type FaultKind, faults } from './answers/answer.ts';
export { Book, type BookOptions, type Reply } from './book/book.ts';
export { LEASE_MS, SUSPECT_MS } from './book/registration.ts';
export type { NodeNumbers, Peer, RegistryPort } from './book/registry-port.ts';
export {
  type Listener,
  type ListenerBounds,
  type ListenerOptions,
  listenMcmp,
  type Session,
} from './listener/listener.ts';
export { METHODS, type Message, readMessage } from './messages/message.ts';
export { decodeName, encodeName } from './names/node-name.ts';
export { RequestReader, type WireRequest } from './wire/request-reader.ts';
export { writeAnswer, writeFault } from './wire/response.ts';
