/** Writes to a store without a pause until it is killed, and reports each answered change in a line of standard output. */
import { writeSync } from 'node:fs';
import { openFileStore } from './file-store.ts';

const [path, first] = process.argv.slice(2) as [string, string];
const store = await openFileStore({
  path,
  onProblem: (message) => writeSync(1, `problem ${message}\n`),
  intervalMs: 0,
  // Small, so that many kills come during a compaction.
  compactBytes: 8_192,
});
for (let number = Number(first); ; number += 3) {
  const key = (i: number) => `node/n${(number + i) % 17}`;
  const versions = [number, number + 1, number + 2];
  const answers = [
    store.write([{ key: key(0), version: [1, versions[0]!], value: 'x'.repeat(number % 300) }]),
    store.write([{ key: key(1), version: [1, versions[1]!], value: versions[1] }]),
    store.remove([key(2)]),
  ];
  await Promise.all(answers);
  writeSync(1, `${key(0)} ${versions[0]}\n${key(1)} ${versions[1]}\n${key(2)} -${versions[2]}\n`);
}
