/**
 * Loaded into the processes of ours before anything else (`--import`): on SIGUSR2 it collects garbage and writes what the
 * process uses to `ROLLCALL_BENCH_HEAP/PID.json`. Nothing else of the process changes.
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
