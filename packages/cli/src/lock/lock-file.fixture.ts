/** Waits for its standard input to end, takes a lock, reports whether it has it, and keeps it until it is killed. */
import { writeSync } from 'node:fs';
import { takeLock } from './lock-file.ts';

process.stdin.resume();
process.stdin.once('end', () => {
  const taken = takeLock(process.argv[2]!);
  writeSync(1, 'release' in taken ? 'taken\n' : `held by ${taken.pid}\n`);
  setInterval(() => {}, 60_000);
});
writeSync(1, 'waiting\n');
