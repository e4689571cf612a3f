/** What tests of core and of those who fill its ports need; never part of a running program. */
export { type AlgorithmContractOptions, algorithmContract, candidate } from './algorithm-contract.ts';
export { ManualClock } from './manual-clock.ts';
export { seededRng } from './seeded-rng.ts';
export { type StoreContractOptions, storeContract } from './store-contract.ts';
