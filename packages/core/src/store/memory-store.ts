/** The store in memory: not shared, and lost when the process ends. The reference for all other stores. */
import type { Store, StoredRecord, WriteOutcome } from './store.ts';
import { isNewer } from './version.ts';

/** Opens an empty store. Values are copied in and out, as by a real medium. */
export function memoryStore(): Store {
  const records = new Map<string, StoredRecord>();
  let isClosed = false;

  async function open(): Promise<void> {
    if (isClosed) throw new Error('the store is closed');
  }

  return {
    kind: 'memory',
    async load() {
      await open();
      return [...records.values()].map(copyOf);
    },
    async write(written) {
      await open();
      return written.map((record): WriteOutcome => {
        const stored = records.get(record.key);
        if (stored && !isNewer(record.version, stored.version)) return 'stale';
        records.set(record.key, copyOf(record));
        return 'written';
      });
    },
    async remove(keys) {
      await open();
      for (const key of keys) records.delete(key);
    },
    async close() {
      isClosed = true;
    },
  };
}

function copyOf(record: StoredRecord): StoredRecord {
  return structuredClone(record);
}
