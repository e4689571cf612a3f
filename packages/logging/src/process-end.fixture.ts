/** For tests: a process that logs `count` lines and then ends in the way its arguments name. */
import fs from 'node:fs';
import { openLog, openOutput, openPlainLog } from './open-log.ts';

const [kind, end, count] = process.argv.slice(2);
if (kind === 'json') {
  const { log } = openLog('fixture', 'trace');
  for (let i = 0; i < Number(count); i++) log.info(`line ${i}`);
} else {
  const say = openPlainLog({ isInherited: kind === 'inherited' });
  for (let i = 0; i < Number(count); i++) say(`line ${i}`);
  openOutput(say)('printed\n');
}
if (end === 'exit') process.exit(5);
else if (end === 'throw') throw new Error('a bug');
else if (end === 'reject') void Promise.reject(new Error('a bug'));
else if (end === 'warn') {
  for (let i = 0; i < Number(count); i++) console.error(`printed ${i}`);
  process.emitWarning('be careful');
} else if (end === 'flags') setImmediate(() => fs.writeSync(1, fs.readFileSync('/proc/self/fdinfo/2')));
process.exitCode = 5;
