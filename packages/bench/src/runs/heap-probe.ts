/**
 * Loaded into the processes of Rollcall by `--import`. On SIGUSR2 it collects garbage and writes the memory use of the process to
 * `ROLLCALL_BENCH_HEAP/PID.json`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const directory = process.env['ROLLCALL_BENCH_HEAP'];
if (directory !== undefined)
  process.on('SIGUSR2', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    writeFileSync(join(directory, `${process.pid}.json`), JSON.stringify(process.memoryUsage()));
  });
