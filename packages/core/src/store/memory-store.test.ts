import { storeContract } from '../testing/store-contract.ts';
import { memoryStore } from './memory-store.ts';

storeContract({ name: 'memory store', open: async () => memoryStore() });
