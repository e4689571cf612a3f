/** Helpers for tests of core and of implementations of its ports; never part of a running program. */
export { seededRng } from '../seeded-rng.ts';
export { type AlgorithmContractOptions, algorithmContract, candidate } from './algorithm-contract.ts';
export { freePort, freePorts } from './free-port.ts';
export { ManualClock } from './manual-clock.ts';
export { type SharedStoreContractOptions, sharedStoreContract } from './shared-store-contract.ts';
export { type StoreContractOptions, storeContract } from './store-contract.ts';
export { TYPESCRIPT } from './typescript.ts';
