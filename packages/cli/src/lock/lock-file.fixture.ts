/** Waits for the end of standard input, takes a lock, reports the outcome, and keeps the lock until it is killed. */
import { writeSync } from 'node:fs';
import { takeLock } from './lock-file.ts';

process.stdin.resume();
process.stdin.once('end', () => {
  const taken = takeLock(process.argv[2]!);
  writeSync(1, 'release' in taken ? 'taken\n' : `held by ${taken.pid}\n`);
  setInterval(() => {}, 60_000);
});
writeSync(1, 'waiting\n');
